//! Writes a page of attention maps made by hand, in several scripts: `cargo run -p lookback --example attention_page -- FILE`.
//!
//! No model is needed, so the page can be looked at, and tested in a browser, on its own.

use std::error::Error;

use lookback::view::{AttentionMap, Page, Side, ViewError, WordSpan};

/// A sentence pair: words end at spaces, pieces at `|`, and for each target piece the source pieces it looks at, most first.
struct Pair {
    id: usize,
    src: &'static str,
    tgt: &'static str,
    reference: Option<&'static str>,
    looks: &'static [&'static [usize]],
    /// What stands between words on either side.
    spaces: (&'static str, &'static str),
    log_prob: f64,
}

const SPACES: (&str, &str) = (" ", " ");

#[rustfmt::skip]
const PAIRS: &[Pair] = &[
    Pair { id: 0, src: "Das Haus , in dem ich auf|gewachsen bin , steht noch .", tgt: "The house I grew up in is still standing .", reference: Some("The house in which I grew up is still standing."),
        looks: &[&[0], &[1], &[5], &[7, 6, 8], &[6, 7], &[3, 4], &[10, 11], &[11], &[10], &[12], &[13]], spaces: SPACES, log_prob: -3.42 },
    Pair { id: 0, src: "Das Haus , in dem ich auf|gewachsen bin , steht noch .", tgt: "The house where I grew up still stands .", reference: Some("The house in which I grew up is still standing."),
        looks: &[&[0], &[1], &[3, 4, 2], &[5], &[7, 6, 8], &[6, 7], &[11], &[10], &[12], &[13]], spaces: SPACES, log_prob: -4.08 },
    Pair { id: 0, src: "Das Haus , in dem ich auf|gewachsen bin , steht noch .", tgt: "The house I grew up in still stands .", reference: Some("The house in which I grew up is still standing."),
        looks: &[&[0], &[1], &[5], &[7, 6, 8], &[6, 7], &[3, 4], &[11], &[10], &[12], &[13]], spaces: SPACES, log_prob: -4.63 },
    Pair { id: 1, src: "Gestern hat sie den Brief endlich auf|gemacht .", tgt: "Yesterday she finally opened the letter .", reference: Some("She finally opened the letter yesterday."),
        looks: &[&[0], &[2], &[5], &[7, 6, 1], &[3], &[4], &[8], &[9]], spaces: SPACES, log_prob: -2.16 },
    Pair { id: 2, src: "Ein kleiner Hund rennt durch den Schnee .", tgt: "A small dog runs through the snow .", reference: None,
        looks: &[&[0], &[1], &[2], &[3], &[4], &[5, 6], &[6], &[7], &[8]], spaces: SPACES, log_prob: -1.37 },
    Pair { id: 3, src: "동생은 아침|마다 도서관|에서 책을 읽는다 .", tgt: "My brother reads books in the library every morning .", reference: Some("My younger brother reads in the library every morning."),
        looks: &[&[0], &[0], &[6], &[5], &[4], &[3, 4], &[3], &[2], &[1, 2], &[7], &[8]], spaces: SPACES, log_prob: -5.9 },
    Pair { id: 4, src: "비가 와서 경기|가 취소|되었다 .", tgt: "The match was cancelled because of the rain .", reference: Some("The game was called off because of rain."),
        looks: &[&[2, 3], &[2], &[5, 4], &[4], &[1], &[1, 0], &[0], &[0], &[6], &[7]], spaces: SPACES, log_prob: -4.71 },
    Pair { id: 5, src: "قرأ الطالب الكتاب الجديد في المكتب|ة .", tgt: "The student read the new book in the library .", reference: Some("The student read the new book at the library."),
        looks: &[&[1], &[1], &[0], &[2, 3], &[3], &[2], &[4], &[5], &[5, 6], &[7], &[8]], spaces: SPACES, log_prob: -3.05 },
    Pair { id: 6, src: "The weather is beautiful today .", tgt: "الطقس جميل اليوم .", reference: Some("الجو جميل اليوم."),
        looks: &[&[1, 0], &[3], &[4], &[5], &[6]], spaces: SPACES, log_prob: -1.98 },
    Pair { id: 7, src: "駅 まで 歩いて 十分 かかり|ます 。", tgt: "It takes ten minutes to walk to the station .", reference: Some("It is a ten-minute walk to the station."),
        looks: &[&[4], &[4, 5], &[3], &[3], &[2], &[2], &[1], &[0, 1], &[0], &[6], &[7]], spaces: ("", " "), log_prob: -6.2 },
    Pair { id: 8, src: "Could you open the window , please ?", tgt: "窓 を 開けて いただけ|ますか 。", reference: Some("窓を開けてもらえますか。"),
        looks: &[&[4], &[3, 4], &[2], &[0, 6], &[0, 1, 6], &[7], &[8]], spaces: (" ", ""), log_prob: -4.4 },
    Pair { id: 9, src: "x < y && y > z ;", tgt: "<b>x</b> &lt; \"y\" ;", reference: Some("</script><script>alert(1)</script>"),
        looks: &[&[0], &[1], &[2, 4], &[7], &[8]], spaces: SPACES, log_prob: -9.9 },
    Pair { id: 10, src: "Obwohl es den ganzen Tag geregnet hatte , beschlossen wir am Abend doch noch , mit den Kindern an den See zu fahren und ein Feuer zu machen .",
        tgt: "Although it had rained all day , in the evening we decided to drive to the lake with the children after all and make a fire .", reference: None,
        looks: &[&[0], &[1], &[6], &[5], &[3], &[4], &[7], &[10], &[10], &[11], &[9], &[8], &[21, 8], &[22], &[18], &[19, 20], &[20], &[15], &[16], &[17], &[12, 13], &[13], &[23], &[27, 26], &[24], &[25], &[28], &[29]],
        spaces: SPACES, log_prob: -11.3 },
];

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    let maps = PAIRS.iter().map(draw).collect::<Result<Vec<_>, _>>()?;
    let page = Page::new("Where the decoder looked").fact("Model", "drawn by hand").fact("Sentences", "11");
    std::fs::write(path, page.render(&maps))?;
    Ok(())
}

fn draw(pair: &Pair) -> Result<AttentionMap, ViewError> {
    let (src, tgt) = (side(pair.src, pair.spaces.0), side(pair.tgt, pair.spaces.1));
    assert_eq!(pair.looks.len(), tgt.tokens.len(), "{}", pair.tgt);
    let weights = pair.looks.iter().flat_map(|looks| row(looks, src.tokens.len())).collect();
    let rank = PAIRS.iter().take_while(|other| !std::ptr::eq(*other, pair)).filter(|other| other.id == pair.id).count();
    let map = AttentionMap::new(pair.id, src, tgt, weights, pair.log_prob)?;
    let map = if PAIRS.iter().filter(|other| other.id == pair.id).count() > 1 { map.with_rank(rank) } else { map };
    Ok(match pair.reference {
        Some(reference) => map.with_reference(reference),
        None => map,
    })
}

/// Pieces as a subword model would show them: `▁` before those that follow a space.
fn side(marked: &str, space: &str) -> Side {
    let (mut tokens, mut words): (Vec<String>, Vec<WordSpan>) = (Vec::new(), Vec::new());
    for (i, word) in marked.split(' ').enumerate() {
        let start = tokens.len();
        for (j, piece) in word.split('|').enumerate() {
            tokens.push(if i > 0 && j == 0 && !space.is_empty() { format!("▁{piece}") } else { piece.to_owned() });
        }
        words.push(WordSpan { start, end: tokens.len(), text: word.replace('|', "") });
    }
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(space);
    tokens.push("</s>".to_owned());
    Side { text, tokens, words }
}

/// Weights like those of a trained model: most on the first look, less on the others, a little around them.
#[allow(clippy::cast_precision_loss, reason = "sentences are short")]
fn row(looks: &[usize], columns: usize) -> Vec<f32> {
    let mut row: Vec<f32> = (0..columns)
        .map(|s| 0.06 * (-(s.abs_diff(looks[0]) as f32)).exp() + 0.002 * ((s * 7 + looks[0] * 5) % 11) as f32)
        .collect();
    for (i, &s) in looks.iter().enumerate() {
        row[s] += 0.8 / (1.0 + 1.6 * i as f32);
    }
    let sum: f32 = row.iter().sum();
    row.iter().map(|w| w / sum).collect()
}
