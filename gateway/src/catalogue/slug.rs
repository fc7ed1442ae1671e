//! Names as they stand in addresses and sets.

/// Lower-case ASCII letters, digits and single hyphens, none at the ends; accents are folded, all else divides words.
/// Text without a letter or digit is `x`.
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match folded(c) {
            Some(letters) => slug.push_str(letters),
            None if c.is_ascii_alphanumeric() => slug.push(c),
            None if slug.ends_with('-') || slug.is_empty() => {}
            None => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "x".to_owned() } else { slug.to_owned() }
}

/// Letters of western Europe without their marks.
fn folded(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => "a",
        'æ' => "ae",
        'ç' => "c",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => "o",
        'œ' => "oe",
        'ß' => "ss",
        'ù' | 'ú' | 'û' | 'ü' => "u",
        'ý' | 'ÿ' => "y",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::slug;

    #[test]
    fn names_become_plain() {
        for (text, expected) in [
            ("Dijon Métropole", "dijon-metropole"),
            ("  L’Œuvre & Cie.  ", "l-oeuvre-cie"),
            ("Éco-quartier n°2", "eco-quartier-n-2"),
            ("北京", "x"),
            ("", "x"),
        ] {
            assert_eq!(slug(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_plain_and_plain_names_stay(text in ".{0,60}") {
            let once = slug(&text);
            prop_assert!(once.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!once.is_empty() && !once.starts_with('-') && !once.ends_with('-'));
            prop_assert_eq!(slug(&once), once);
        }
    }
}
