//! Text as people type it, brought to one form so that names can be compared.

/// Lower case, accents removed, every run of whitespace and punctuation collapsed to one space.
///
/// `"  Citroën C-3 "` becomes `"citroen c 3"`. Letters outside the Latin alphabet are kept as they are.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut pending_space = false;
    for letter in text.chars().flat_map(char::to_lowercase) {
        if is_combining_mark(letter) {
            continue;
        }
        let plain = without_accent(letter);
        if plain.is_alphanumeric() {
            if pending_space && !folded.is_empty() {
                folded.push(' ');
            }
            pending_space = false;
            folded.push(plain);
        } else {
            pending_space = true;
        }
    }
    folded
}

/// Accents that arrive as characters of their own (decomposed Unicode, as macOS writes file names).
fn is_combining_mark(letter: char) -> bool {
    ('\u{0300}'..='\u{036f}').contains(&letter)
}

fn without_accent(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ª' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'º' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        'ý' | 'ÿ' => 'y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::fold;

    /// Prevents a buyer's "Citroën" or "mercedes benz" from missing the cars of that brand.
    #[test]
    fn spellings_of_one_name_fold_to_one_text() {
        for (typed, folded) in [
            ("Citroën", "citroen"),
            ("  São   PAULO ", "sao paulo"),
            ("Mercedes-Benz", "mercedes benz"),
            ("hibrido_plugin", "hibrido plugin"),
            ("up!", "up"),
            ("Ele\u{0301}trico", "eletrico"),
            ("", ""),
            ("--", ""),
        ] {
            assert_eq!(fold(typed), folded, "{typed:?}");
        }
    }

    /// Prevents a text folded twice (request, then catalogue) from differing from one folded once.
    #[test]
    fn folding_twice_changes_nothing() {
        for typed in ["Citroën C4 Cactus", "GM – Chevrolet", "Ônix  1.0", "İstanbul"] {
            let once = fold(typed);
            assert_eq!(fold(&once), once, "{typed:?}");
        }
    }
}
