//! Choosing the instructions to compute with.

use tempfile::TempDir;

use crate::program::{SMALL, run, trained};

#[test]
fn portable_instructions_translate_score_and_train_and_what_is_not_there_is_refused() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    let said = run(dir.path(), &format!("translate -m {model} --isa portable"), "3 May 1999\n").ok();
    assert_eq!(said.lines().count(), 1);
    assert!(run(dir.path(), &format!("score -m {model} --isa portable"), "a\tb\n").ok().starts_with('-'));
    assert_eq!(run(dir.path(), &format!("align -m {model} --isa portable"), "3 May\t1\n").ok().lines().count(), 1);
    assert!(run(dir.path(), &format!("explain -m {model} --isa portable 1999"), "").ok().contains("step 1: "));
    let pairs = trained().join("pairs.tsv").display().to_string();
    let args = format!("train {pairs} --out p {SMALL} --set train.max_updates=2 --isa portable");
    assert!(run(dir.path(), &args, "").err.contains("portable"));
    assert!(run(dir.path(), &format!("translate -m {model} --isa mmx x"), "").failed(2).contains("portable"));
    run(dir.path(), &format!("eval --hyp {pairs} --ref {pairs} --isa portable"), "").failed(2);
}

#[test]
fn a_model_in_8_bits_says_the_same_with_all_instructions() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    run(dir.path(), &format!("convert -m {model} --int8 -o small"), "").ok();
    let of = |isa: &str| run(dir.path(), &format!("translate -m small --isa {isa}"), "3 May 1999\n2001/2/3\n");
    let want = of("portable").ok();
    for isa in ["avx2", "avx512"] {
        let ran = of(isa);
        if ran.code == Some(0) {
            assert_eq!(ran.ok(), want, "{isa}");
        } else {
            assert!(ran.failed(2).contains("this processor does not have it; it has portable"));
        }
    }
}
