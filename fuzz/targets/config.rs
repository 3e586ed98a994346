//! Configurations, TOML or JSON: what is accepted is written and read again as the same.
#![no_main]
use libfuzzer_sys::fuzz_target;
use lookback::config::Config;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(config) = Config::from_layers(&[("run.toml".into(), text.into())], &[]) else { return };
    let Ok(written) = config.to_toml() else { return };
    let again = Config::from_layers(&[("run.toml".into(), written)], &[]).expect("what is written can be read");
    assert_eq!(again, config);
});
