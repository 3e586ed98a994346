"use strict";
(() => {
  const sentences = JSON.parse(document.getElementById("maps").textContent);
  const main = document.getElementById("sentences");
  const tip = document.querySelector(".tip");
  const status = document.querySelector("[role=status]");
  const FULL = 10000; // weights come as ten-thousandths
  const SMALLEST = 18; // pixels
  const LARGEST = 40;
  const TIGHT = 24; // smaller cells hold no number
  const WORTH_A_NUMBER = 0.02;
  const READOUT = 17.25 * 16; // room for the read-out beside a figure, pixels
  const narrow = matchMedia("(max-width: 46rem)"); // there it stands below
  const LISTED = 6;
  let unit = "words";

  // `make("td.cell", {title: …}, child, "text")`: text is only ever set as text.
  function make(what, attributes, ...children) {
    const [tag, ...classes] = what.split(".");
    const element = document.createElement(tag);
    element.classList.add(...classes);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  function percent(weight) {
    const p = weight * 100;
    return p >= 99.95 || p < 0.05 ? p.toFixed(0) : p.toFixed(1);
  }

  const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
  function direction(text) {
    const letter = text.match(/\p{L}/u);
    return letter && rightToLeft.test(letter[0]) ? "rtl" : "ltr";
  }

  // A token with quiet word-start marks and quiet special tokens, kept apart from its neighbours' direction.
  function label(token) {
    const bdi = make("bdi");
    if (/^<\/?\w+>$/.test(token)) bdi.append(make("span.special", {}, token));
    else if (/^\u2581./u.test(token)) bdi.append(make("span.mark", {}, "\u2581"), token.slice(1));
    else bdi.append(token);
    return bdi;
  }

  // One hypothesis at one unit, with weights as shares.
  function view(hypothesis) {
    const { src, tgt, weights } = hypothesis[unit] || hypothesis.pieces;
    const at = (t, s) => weights[t * src.length + s] / FULL;
    // What the word `i` of `side` is joined to on the other side, as strongly.
    const links = (side, i) =>
      side === "tgt" ? src.map((_, s) => at(i, s)) : tgt.map((_, t) => at(t, i));
    return { src, tgt, at, links };
  }

  function strongest(weights) {
    return weights.indexOf(Math.max(...weights));
  }

  class Card {
    constructor(sentence) {
      this.sentence = sentence;
      this.rank = 0;
      this.words = { src: [], tgt: [] };
      this.hovered = this.focused = null;
      this.root = make("article.card", { "aria-label": `Sentence ${sentence.id + 1}` });
      this.root.card = this;
      this.text = [sentence.src, ...sentence.hypotheses.flatMap((h) => [h.tgt, h.reference || ""])].join("\n").toLowerCase();
      this.root.addEventListener("pointerover", (event) => this.hover(event));
      this.root.addEventListener("pointermove", (event) => placeTip(event));
      this.root.addEventListener("pointerleave", () => this.hover(null));
      this.root.addEventListener("focusin", (event) => this.focus(event.target.closest(".word")));
      this.root.addEventListener("focusout", () => this.focus(null));
      this.root.addEventListener("click", (event) => event.target.closest(".word")?.focus());
      this.root.addEventListener("keydown", (event) => this.key(event));
      this.write();
    }

    get hypothesis() { return this.sentence.hypotheses[this.rank]; }

    // Everything but the figure, which is drawn when it comes into sight.
    write() {
      const { sentence, hypothesis } = this;
      this.view = view(hypothesis);
      this.hovered = this.focused = null;
      const perToken = hypothesis.log_prob / hypothesis.pieces.tgt.length;
      const sign = (x) => x.toFixed(2).replace("-", "\u2212");
      const measure = make("span.measure", { title: "Natural logarithm of the probability of the target, and its mean per piece" },
        `log p ${sign(hypothesis.log_prob)} \u00b7 ${sign(perToken)} per token`);
      const pair = make("div.pair");
      const row = (tag, content) => pair.append(make("span.tag", {}, tag), content);
      row("Source", this.line("src", sentence.src));
      row("Target", this.line("tgt", hypothesis.tgt));
      if (hypothesis.reference) row("Reference", make("p.reference", { dir: "auto" }, hypothesis.reference));
      this.readout = make("div.readout");
      this.field = make("div.field");
      this.figure = make("figure.figure", {}, this.field, this.readout);
      this.drawn = false;
      this.room = null;
      this.field.style.minHeight = `${this.view.tgt.length * SMALLEST}px`;
      this.root.replaceChildren(
        make("div.card-head", {}, make("h2", {}, `Sentence ${sentence.id + 1}`), ...this.ranks(), measure), pair, this.figure);
      this.read(null);
      seen.observe(this.figure);
    }

    ranks() {
      const { hypotheses, id } = this.sentence;
      if (hypotheses.length < 2) return [];
      const choices = hypotheses.map((h, i) => {
        const input = make("input", { type: "radio", name: `rank-${id}`, value: i });
        input.checked = i === this.rank;
        input.addEventListener("change", () => {
          this.rank = i;
          this.write();
          this.draw();
          this.root.querySelector(".ranks input:checked").focus();
        });
        return make("label", { title: h.tgt }, input, make("span", {}, String((h.rank ?? i) + 1)));
      });
      return [make("fieldset.ranks", {}, make("legend", {}, "Hypothesis"), ...choices)];
    }

    line(side, text) {
      const names = { src: "Source words", tgt: "Target words" };
      const line = make("div.line", { role: "toolbar", "aria-label": names[side], dir: direction(text) });
      this.words[side] = this.view[side].map((token, i) => {
        const word = make("button.word", { type: "button", tabindex: i ? -1 : 0, "data-side": side, "data-i": i });
        word.append(label(token));
        return word;
      });
      line.append(...this.words[side]);
      return line;
    }

    draw() {
      if (this.drawn) return;
      this.drawn = true;
      seen.unobserve(this.figure);
      const { src, tgt, at } = this.view;
      const head = make("tr", {}, make("td"));
      head.append(...src.map((token, s) =>
        make("th", { scope: "col", "data-side": "src", "data-i": s }, make("span", {}, label(token)))));
      const body = make("tbody");
      tgt.forEach((token, t) => {
        const row = make("tr", {}, make("th", { scope: "row", "data-side": "tgt", "data-i": t }, label(token)));
        src.forEach((_, s) => {
          const weight = at(t, s);
          const dot = make("i.dot");
          dot.style.setProperty("--w", weight);
          dot.style.setProperty("--r", Math.sqrt(weight));
          const cell = make("td.cell", {
            "data-t": t, "data-s": s, "data-p": weight >= WORTH_A_NUMBER ? Math.round(weight * 100) : undefined,
            "aria-label": `${percent(weight)} %`,
          }, dot);
          cell.classList.toggle("full", weight > 0.6);
          row.append(cell);
        });
        body.append(row);
      });
      const title = `Attention of each target word over the source: ${this.sentence.src}`;
      this.table = make("table", { "aria-label": title }, make("thead", {}, head), body);
      this.field.style.minHeight = "";
      this.field.replaceChildren(this.table);
      resized.observe(this.figure);
      this.size();
      this.light();
    }

    // Cells as large as fit; where they end up small, with smaller labels. Depends on the room alone, so it settles.
    size() {
      const room = this.figure.clientWidth - (narrow.matches ? 0 : READOUT);
      if (this.room === room) return;
      this.room = room;
      this.table.classList.remove("tight");
      if (this.fit(room) < TIGHT) {
        this.table.classList.add("tight");
        this.fit(room);
      }
    }

    // Slanted labels need their width in height, and some room to the right.
    fit(room) {
      const columns = this.view.src.length;
      const spans = [...this.table.querySelectorAll("thead th > span")];
      const slant = Math.SQRT1_2;
      const widths = spans.map((span) => span.offsetWidth);
      const rowLabel = Math.max(...[...this.table.querySelectorAll("tbody th")].map((th) => th.firstChild.offsetWidth)) + 14;
      const line = spans[0].offsetHeight;
      const overhang = (cell) => Math.max(0, ...widths.map((w, s) => (s + 0.5 - columns) * cell + (w + line) * slant));
      let cell = LARGEST;
      while (cell > SMALLEST && rowLabel + columns * cell + overhang(cell) > room) cell -= 1;
      this.table.style.setProperty("--cell", `${cell}px`);
      this.table.style.setProperty("--overhang", `${Math.ceil(overhang(cell))}px`);
      this.figure.style.setProperty("--head", `${Math.ceil(Math.max(...widths) * slant + line)}px`);
      return cell;
    }

    get active() { return this.hovered || this.focused; }

    hover(event) {
      if (event?.type === "pointerover" && !moved(event)) return;
      const target = event?.target.closest("[data-side], .cell");
      const before = this.hovered;
      if (!target) this.hovered = null;
      else if (target.dataset.side) this.hovered = { side: target.dataset.side, i: Number(target.dataset.i) };
      else this.hovered = { side: "tgt", i: Number(target.dataset.t), over: Number(target.dataset.s) };
      const over = this.hovered?.over;
      tip.hidden = over === undefined;
      if (over !== undefined) {
        const { src, tgt, at } = this.view;
        const t = this.hovered.i;
        tip.replaceChildren(make("bdi", {}, tgt[t]), " \u2190 ", make("bdi", {}, src[over]), ` \u00b7 ${percent(at(t, over))} %`);
        placeTip(event);
      }
      if (before || this.hovered) this.light();
    }

    focus(word) {
      this.hovered = null;
      tip.hidden = true;
      this.focused = word ? { side: word.dataset.side, i: Number(word.dataset.i) } : null;
      this.light();
      if (!word) return;
      this.words[this.focused.side].forEach((other) => { other.tabIndex = other === word ? 0 : -1; });
      const links = this.view.links(this.focused.side, this.focused.i);
      const other = this.view[this.focused.side === "tgt" ? "src" : "tgt"];
      const list = ranked(links).slice(0, 3).map((j) => `${other[j]} ${percent(links[j])} %`);
      const verb = this.focused.side === "tgt" ? "looked at" : "was looked at by";
      status.textContent = `${this.view[this.focused.side][this.focused.i]} ${verb} ${list.join(", ") || "nothing"}`;
    }

    key(event) {
      const word = event.target.closest(".word");
      if (!word || event.ctrlKey || event.altKey || event.metaKey) return;
      const { side, i } = this.focused;
      const words = this.words[side];
      const rtl = word.parentElement.dir === "rtl";
      const other = side === "tgt" ? "src" : "tgt";
      const across = () => this.words[other][strongest(this.view.links(side, i))];
      const to = {
        ArrowRight: () => words[i + (rtl ? -1 : 1)],
        ArrowLeft: () => words[i + (rtl ? 1 : -1)],
        Home: () => words[0],
        End: () => words[words.length - 1],
        ArrowUp: () => (side === "tgt" ? across() : null),
        ArrowDown: () => (side === "src" ? across() : null),
        Escape: () => { word.blur(); return null; },
      }[event.key];
      if (!to) return;
      event.preventDefault();
      this.hover(null);
      to()?.focus();
    }

    // Shows the active word on both lines, in the figure and in the read-out.
    light() {
      const { active } = this;
      const links = active && this.view.links(active.side, active.i);
      for (const side of ["src", "tgt"]) {
        this.words[side].forEach((word, j) => {
          const weight = links && side !== active.side ? links[j] : 0;
          word.classList.toggle("active", Boolean(active) && side === active.side && j === active.i);
          word.classList.toggle("hot", weight > 0.55);
          word.style.setProperty("--w", weight);
          if (weight >= WORTH_A_NUMBER) word.dataset.p = `${Math.round(weight * 100)}%`;
          else delete word.dataset.p;
        });
      }
      this.read(active);
      if (!this.drawn) return;
      this.table.classList.toggle("looking", Boolean(active));
      for (const cell of this.table.querySelectorAll(".cell")) {
        const own = active && (active.side === "tgt" ? cell.dataset.t : cell.dataset.s);
        cell.classList.toggle("on", Boolean(active) && Number(own) === active.i);
      }
      const chief = links ? strongest(links) : -1;
      for (const th of this.table.querySelectorAll("th")) {
        const same = Boolean(active) && th.dataset.side === active.side;
        const weight = links && !same ? links[th.dataset.i] : 0;
        th.classList.toggle("on", same ? Number(th.dataset.i) === active.i : weight >= 0.05);
        th.classList.toggle("chief", Boolean(active) && !same && Number(th.dataset.i) === chief && weight > 0);
      }
    }

    read(active) {
      if (!active) {
        this.readout.replaceChildren(make("p.hint", {}, "Choose a word to see what it looked at."));
        return;
      }
      const links = this.view.links(active.side, active.i);
      const other = this.view[active.side === "tgt" ? "src" : "tgt"];
      const list = make("ol");
      for (const j of ranked(links).slice(0, LISTED)) {
        const bar = make("i");
        bar.style.setProperty("--w", Math.min(1, links[j]));
        list.append(make("li", {}, label(other[j]), make("span.bar", { "aria-hidden": "true" }, bar),
          make("data", { value: links[j] }, `${percent(links[j])} %`)));
      }
      this.readout.replaceChildren(
        make("h3", {}, label(this.view[active.side][active.i])),
        make("p", {}, active.side === "tgt" ? "looked at" : "was looked at by"), list);
    }
  }

  // Indices of all weights worth listing, strongest first.
  function ranked(weights) {
    return weights.map((_, j) => j).filter((j) => weights[j] >= 0.005).sort((a, b) => weights[b] - weights[a] || a - b);
  }

  // Scrolling slides other words under a pointer that rests; that is not pointing at them.
  let last = null;
  function moved({ screenX, screenY }) {
    const same = last && last.screenX === screenX && last.screenY === screenY;
    last = { screenX, screenY };
    return !same;
  }

  function placeTip(event) {
    if (tip.hidden) return;
    const { offsetWidth: width, offsetHeight: height } = tip;
    const x = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 6);
    const y = event.clientY - height - 12 < 4 ? event.clientY + 18 : event.clientY - height - 12;
    tip.style.transform = `translate(${Math.max(6, x)}px, ${y}px)`;
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) entry.target.closest(".card").card.draw();
    }
  }, { rootMargin: "900px" });
  const resized = new ResizeObserver((entries) => {
    for (const entry of entries) entry.target.closest(".card")?.card.size();
  });

  const cards = sentences.map((sentence) => new Card(sentence));
  if (cards.length) main.append(...cards.map((card) => card.root));
  else main.append(make("p.none", {}, "No sentence with attention to show."));

  function onChange(name, apply) {
    for (const input of document.querySelectorAll(`input[name=${name}]`)) {
      input.addEventListener("change", () => apply(input.value));
      if (input.checked) apply(input.value); // a reloaded page keeps its choices
    }
  }
  const root = document.documentElement;
  onChange("style", (value) => { root.dataset.style = value; });
  onChange("theme", (value) => { root.dataset.theme = value; });
  onChange("unit", (value) => {
    if (value === unit) return;
    unit = value;
    const drawn = cards.filter((card) => card.drawn);
    cards.forEach((card) => card.write());
    drawn.forEach((card) => card.draw());
  });

  const steps = make("div");
  for (const weight of [0, 0.1, 0.25, 0.5, 0.75, 1]) {
    const dot = make("i.dot");
    dot.style.setProperty("--w", weight);
    dot.style.setProperty("--r", Math.sqrt(weight));
    steps.append(make("b", {}, dot));
  }
  document.querySelector(".scale").append("0", steps, "100 %");

  if (cards.length > 8) {
    const label = document.querySelector(".search");
    const found = document.querySelector(".found");
    label.hidden = found.hidden = false;
    const filter = () => {
      const wanted = label.querySelector("input").value.trim().toLowerCase();
      cards.forEach((card) => { card.root.hidden = !card.text.includes(wanted); });
      const count = cards.filter((card) => !card.root.hidden).length;
      found.textContent = wanted ? `${count} of ${cards.length}` : "";
    };
    label.addEventListener("input", filter);
    filter();
  }
  addEventListener("beforeprint", () => cards.forEach((card) => card.draw()));
})();
