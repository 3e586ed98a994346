//! Whatever a corpus is: what is kept and what is removed make it up again, and what is kept is clean.
#![no_main]
use libfuzzer_sys::fuzz_target;
use lookback::data::doctor::{CorpusFiles, DoctorError, Files, Options, Part, examine, fix};
use lookback_fuzz::in_folder;

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let (src, tgt) = rest.split_at(rest.len() / 2);
    in_folder(|dir| {
        let (p, q, out) = (dir.join("p"), dir.join("q"), dir.join("out"));
        std::fs::write(&p, if first & 1 == 0 { rest } else { src }).expect("a file");
        std::fs::write(&q, tgt).expect("a file");
        let files = if first & 1 == 0 { Files::Table(p, None) } else { Files::Parallel(p, q) };
        let corpora = [CorpusFiles { part: Part::Train, files }];
        let options = Options { memory: 4096, ..Options::default() };
        let examined = examine(&corpora, &options, &mut |_| ()).expect("a temporary folder");
        match fix(&corpora, examined, &options, &out) {
            Ok(_) | Err(DoctorError::Beyond { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        drop(std::fs::remove_dir_all(&out));
    });
});
