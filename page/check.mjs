// Opens an attention page in headless Chromium, uses it as a reader would, and takes pictures.
//
//   node check.mjs attention.html OUTPUT_FOLDER
//
// The page is the one that the example `attention_page` writes. CHROMIUM names the browser if it is not `chromium`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, out] = process.argv.slice(2);
const url = pathToFileURL(resolve(file)).href;
const browserPath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
mkdirSync(out, { recursive: true });

const profile = mkdtempSync(join(tmpdir(), "attention-page-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: browserPath,
  headless: true,
  viewport: { width: 1180, height: 900 },
  deviceScaleFactor: 1.5,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

const complaints = [];
const requests = [];
async function open(options = {}) {
  const page = await context.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => requests.push(request.url()));
  await page.setViewportSize({ width: options.width ?? 1180, height: options.height ?? 900 });
  await page.emulateMedia({ colorScheme: options.scheme ?? "light", reducedMotion: "reduce" });
  await page.goto(url);
  return page;
}

const card = (page, n) => page.locator(".card").nth(n);
const word = (page, n, side, text) =>
  card(page, n).locator(`.line .word[data-side=${side}]`).filter({ hasText: new RegExp(`^${text}$`) }).first();
const weight = (locator) => locator.evaluate((element) => Number(element.style.getPropertyValue("--w")));
const focused = (page) => page.evaluate(() => document.activeElement.textContent);
const picture = (page, name, target = page) => target.screenshot({ path: join(out, `${name}.png`) });

const claims = {
  async "hovering a target word lights the source in proportion"(page) {
    await word(page, 0, "tgt", "house").hover();
    const lit = {};
    for (const w of await card(page, 0).locator(".word[data-side=src]").all()) lit[await w.textContent()] = await weight(w);
    const strongest = Object.entries(lit).sort((a, b) => b[1] - a[1])[0];
    assert.equal(strongest[0], "Haus");
    assert.ok(strongest[1] > 0.6, `${strongest}`);
    const shown = await word(page, 0, "src", "Haus").evaluate((w) => Number(getComputedStyle(w, "::before").opacity));
    assert.ok(Math.abs(shown - strongest[1]) < 1e-3, `drawn ${shown}, meant ${strongest[1]}`);
    const percent = await word(page, 0, "src", "Haus").getAttribute("data-p");
    assert.equal(percent, `${Math.round(strongest[1] * 100)}%`);
    assert.match(await card(page, 0).locator(".readout").innerText(), /^house\s+looked at\s+Haus/);
  },

  async "leaving puts the light out"(page) {
    await word(page, 0, "tgt", "house").hover();
    await page.locator("h1").hover();
    assert.equal(await weight(word(page, 0, "src", "Haus")), 0);
    assert.equal(await page.locator(".word.active").count(), 0);
  },

  async "hovering a source word shows who looked at it"(page) {
    await word(page, 0, "src", "noch").hover();
    assert.ok(await weight(word(page, 0, "tgt", "still")) > 0.6);
    assert.match(await card(page, 0).locator(".readout").innerText(), /was looked at by\s+still/);
  },

  async "Tab and the arrow keys walk the words"(page) {
    await page.locator(".ranks input:checked").first().focus();
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Das");
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "The");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(page), "house");
    assert.ok(await weight(word(page, 0, "src", "Haus")) > 0.6);
    assert.match(await page.locator("[role=status]").innerText(), /^house looked at Haus \d/);
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(page), "Haus");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(page), "house");
    await page.keyboard.press("End");
    assert.equal(await focused(page), "</s>");
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".word.active").count(), 0);
  },

  async "arrows follow the eye in text from right to left"(page) {
    const line = page.locator(".line[dir=rtl]").first();
    await line.locator(".word").first().focus();
    const first = await line.locator(".word").first().boundingBox();
    await page.keyboard.press("ArrowLeft");
    const next = await page.evaluate(() => document.activeElement.getBoundingClientRect().x);
    assert.ok(next < first.x, "the second word stands left of the first");
    assert.equal(await line.locator(".word").nth(1).evaluate((w) => w === document.activeElement), true);
  },

  async "cells tell their pair and weight"(page) {
    await card(page, 0).locator(".cell[data-t='1'][data-s='1']").hover();
    assert.match(await page.locator(".tip").innerText(), /^house ← Haus · \d+\.\d %$/);
    assert.equal(await word(page, 0, "tgt", "house").evaluate((w) => w.classList.contains("active")), true);
    await page.locator("h1").hover();
    assert.equal(await page.locator(".tip").isVisible(), false);
  },

  async "every row of a figure adds up to 100 %"(page) {
    const sums = await card(page, 0).locator("tbody tr").evaluateAll((rows) => rows.map((row) =>
      [...row.querySelectorAll(".dot")].reduce((sum, dot) => sum + Number(dot.style.getPropertyValue("--w")), 0)));
    assert.ok(sums.length > 5 && sums.every((sum) => Math.abs(sum - 1) < 2e-3), `${sums}`);
  },

  async "boxes have the weight as their area"(page) {
    await page.getByText("Boxes", { exact: true }).click();
    const shares = await card(page, 0).locator(".cell").evaluateAll((cells) => cells.map((cell) => {
      const dot = cell.querySelector(".dot").getBoundingClientRect();
      return [dot.width * dot.height / (cell.clientWidth * cell.clientHeight), Number(cell.querySelector(".dot").style.getPropertyValue("--w"))];
    }));
    for (const [area, meant] of shares) assert.ok(Math.abs(area - meant) < 0.01, `area ${area}, weight ${meant}`);
    await page.getByText("Heat", { exact: true }).click();
  },

  async "pieces and words take turns"(page) {
    const count = () => card(page, 0).locator(".word[data-side=src]").count();
    assert.equal(await count(), 13);
    await page.getByText("Pieces", { exact: true }).click();
    assert.equal(await count(), 14);
    assert.equal(await card(page, 0).locator("thead th").count(), 14);
    await page.getByText("Words", { exact: true }).click();
    assert.equal(await count(), 13);
  },

  async "another hypothesis can be chosen"(page) {
    await card(page, 0).locator(".ranks label").nth(1).click();
    assert.equal(await card(page, 0).locator("tbody tr").count(), 9 + 1);
    assert.match(await card(page, 0).locator(".measure").innerText(), /−4\.08/);
    await card(page, 0).locator(".ranks label").first().click();
  },

  async "the filter keeps what matches"(page) {
    await page.getByPlaceholder("Filter sentences").fill("도서관");
    assert.equal(await page.locator(".card:visible").count(), 1);
    assert.equal(await page.locator(".found").innerText(), "1 of 11");
    await page.getByPlaceholder("Filter sentences").fill("");
    assert.equal(await page.locator(".card:visible").count(), 11);
  },

  async "the theme can be chosen against the system's"(page) {
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    await page.getByText("Dark", { exact: true }).click();
    const dark = await paper();
    assert.notEqual(light, dark);
    await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
    await page.getByText("Light", { exact: true }).click();
    assert.equal(await paper(), light);
    await page.getByText("Auto", { exact: true }).click();
    assert.equal(await paper(), dark);
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  },

  async "markup in a token stays text"(page) {
    assert.equal(await word(page, 9, "tgt", "<b>x</b>").count(), 1);
    assert.equal(await page.locator("main b").count(), 0);
  },

  async "figures far down are drawn when they come into sight"(page) {
    await card(page, 10).scrollIntoViewIfNeeded();
    await card(page, 10).locator("table").waitFor();
  },

  async "nothing overflows a narrow screen"() {
    const narrow = await open({ width: 360, height: 780 });
    for (let n = 0; n < 11; n++) {
      await card(narrow, n).scrollIntoViewIfNeeded();
      await card(narrow, n).locator("table").waitFor();
    }
    const width = await narrow.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `the page is ${width} pixels wide`);
    await narrow.evaluate(() => scrollTo(0, 0));
    await picture(narrow, "narrow-top");
    await word(narrow, 2, "tgt", "dog").click();
    await picture(narrow, "narrow", card(narrow, 2));
    await narrow.close();
  },

  async "every figure is there in print"() {
    const printed = await open();
    await printed.pdf({ path: join(out, "print.pdf"), format: "A4" });
    assert.equal(await printed.locator(".card table").count(), 11);
    await printed.close();
  },
};

let failed = 0;
const page = await open();
for (const [claim, check] of Object.entries(claims)) {
  try {
    await check(page);
    console.log(`ok    ${claim}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${claim}\n      ${error.message}`);
  }
}

for (const scheme of ["light", "dark"]) {
  const shot = await open({ scheme });
  await picture(shot, `top-${scheme}-rest`);
  await word(shot, 0, "tgt", "grew").hover();
  await picture(shot, `top-${scheme}`);
  await card(shot, 0).scrollIntoViewIfNeeded();
  await picture(shot, `german-${scheme}`, card(shot, 0));
  for (const [name, n, target] of [["korean", 3, "library"], ["arabic", 5, "book"], ["to-arabic", 6, "جميل"], ["japanese", 7, "minutes"], ["long", 10, "decided"], ["markup", 9, "<b>x</b>"]]) {
    await shot.mouse.move(1, 1);
    await word(shot, n, "tgt", target).focus();
    await picture(shot, `${name}-${scheme}`, card(shot, n));
  }
  await shot.getByText("Boxes", { exact: true }).click();
  await shot.mouse.move(1, 1);
  await shot.evaluate(() => document.activeElement.blur());
  await picture(shot, `boxes-${scheme}-rest`, card(shot, 0));
  await word(shot, 0, "tgt", "grew").hover();
  await picture(shot, `boxes-${scheme}`, card(shot, 0));
  await shot.getByText("Pieces", { exact: true }).click();
  await shot.getByText("Heat", { exact: true }).click();
  await shot.mouse.move(1, 1);
  await word(shot, 0, "tgt", "▁up").focus();
  await picture(shot, `pieces-${scheme}`, card(shot, 0));
  await shot.close();
}
await context.close();
rmSync(profile, { recursive: true, force: true });

const strangers = requests.filter((request) => request !== url);
if (strangers.length) console.log(`FAIL  the page made requests: ${strangers.join(", ")}`);
else console.log("ok    no request but the page itself");
if (complaints.length) console.log(`FAIL  the browser complained:\n      ${complaints.join("\n      ")}`);
else console.log("ok    no complaint in the console");
process.exitCode = failed || strangers.length || complaints.length ? 1 : 0;
