//! Any text as a word of the wire: folding never panics and is done after one time; a word that is understood reads
//! back as itself.

#![no_main]

use faciliauto_engine::{
    Category, Criterion, Filter, Fuel, Gearbox, MustHave, Quality, Usage, equipment, fold,
};
use faciliauto_engine_fuzz::tables;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let folded = fold(text);
    assert_eq!(fold(&folded), folded, "folded twice");
    assert!(!folded.starts_with(' ') && !folded.ends_with(' ') && !folded.contains("  "));
    let _ = tables().brand_alias(&folded);
    if let Some(word) = equipment::find(text) {
        assert_eq!(equipment::find(word), Some(word));
        assert!(!equipment::label(word).is_empty());
    }
    if let Some(must_have) = MustHave::from_word(text) {
        assert_eq!(MustHave::from_word(&must_have.word()), Some(must_have));
    }
    if let Some(filter) = Filter::from_word(text) {
        assert_eq!(Filter::from_word(&filter.word()), Some(filter));
    }
    if let Some(criterion) = Criterion::from_word(text) {
        assert_eq!(Criterion::from_word(criterion.word()), Some(criterion));
    }
    macro_rules! reads_back {
        ($($type:ident),+) => {
            $(if let Some(value) = $type::from_word(text) {
                assert_eq!($type::from_word(value.word()), Some(value));
            })+
        };
    }
    reads_back!(Fuel, Gearbox, Category, Quality, Usage);
});
