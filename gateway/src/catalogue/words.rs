//! Words for people, in French and English: the names of the codes that datasets are described with, and the sentences
//! that pages and search engines share.
//!
//! Themes are named as the EU's authority table names them, categories as the annex of Implementing Regulation (EU)
//! 2023/138, limitations after Article 13(1) of Directive 2007/2/EC, shortened. Frequencies and languages are named as
//! people say them. A code without a name, which a test rules out, is shown as it is.

use std::borrow::Cow;

use octroi_proto::{
    Level,
    dataset::{DataLanguage, Frequency, HighValueCategory, Limitation, Theme},
};

use super::Language;

/// The name of a theme.
pub(super) fn theme(theme: Theme, language: Language) -> &'static str {
    name(THEMES, theme.code(), language)
}

/// How often that is: `every hour`.
pub(super) fn frequency(frequency: Frequency, language: Language) -> &'static str {
    name(FREQUENCIES, frequency.code(), language)
}

/// The name of a category of data of high value.
pub(super) fn high_value_category(category: HighValueCategory, language: Language) -> &'static str {
    name(HIGH_VALUE_CATEGORIES, category.code(), language)
}

/// What stands against access by the public: `the confidentiality of personal data`.
pub(super) fn limitation(limitation: Limitation, language: Language) -> &'static str {
    name(LIMITATIONS, limitation.code(), language)
}

/// The name of a language that data is in.
pub(super) fn data_language(data: DataLanguage, language: Language) -> &'static str {
    name(LANGUAGES, data.code(), language)
}

/// The tag of a language that data is in (BCP 47), for the EU's code of it.
pub(super) fn language_tag(data: DataLanguage) -> &'static str {
    let code = data.code();
    TAGS.iter().find(|(known, _)| *known == code).map_or(code, |(_, tag)| *tag)
}

/// Who gets at the data of a level, and how.
pub(super) fn conditions_of_access(level: Level, language: Language) -> &'static str {
    match level {
        Level::Public => language.of(
            "Ces données se téléchargent librement, sans compte.",
            "This data can be downloaded freely, without an account.",
        ),
        Level::QuasiSensitive => language.of(
            "Ces données ne sont pas en téléchargement libre : elles se prêtent, pour une finalité déclarée et une durée \
             limitée.",
            "This data cannot be downloaded freely: it is lent, for a stated purpose and a limited time.",
        ),
        Level::Sensitive => language.of(
            "Ces données sont sensibles : elles ne sont ni téléchargeables ni prêtées. Des chercheurs habilités les \
             interrogent, et seuls des agrégats contrôlés leur sont rendus.",
            "This data is sensitive: it can be neither downloaded nor borrowed. Approved researchers ask questions of \
             it, and only checked aggregates are released to them.",
        ),
    }
}

/// A text if it has at most so many characters; else its beginning, cut between words where it has any.
pub(super) fn beginning(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    let whole = kept.rsplit_once(char::is_whitespace).map_or(kept.as_str(), |(whole, _)| whole);
    Cow::Owned(format!("{}…", whole.trim_end()))
}

/// A code and its name in French and in English.
type Name = (&'static str, &'static str, &'static str);

fn name(names: &[Name], code: &'static str, language: Language) -> &'static str {
    names.iter().find(|(known, _, _)| *known == code).map_or(code, |(_, french, english)| language.of(french, english))
}

const THEMES: &[Name] = &[
    ("AGRI", "Agriculture, pêche, sylviculture et alimentation", "Agriculture, fisheries, forestry and food"),
    ("ECON", "Économie et finances", "Economy and finance"),
    ("EDUC", "Éducation, culture et sport", "Education, culture and sport"),
    ("ENER", "Énergie", "Energy"),
    ("ENVI", "Environnement", "Environment"),
    ("GOVE", "Gouvernement et secteur public", "Government and public sector"),
    ("HEAL", "Santé", "Health"),
    ("INTR", "Questions internationales", "International issues"),
    ("JUST", "Justice, système juridique et sécurité publique", "Justice, legal system and public safety"),
    ("REGI", "Régions et villes", "Regions and cities"),
    ("SOCI", "Population et société", "Population and society"),
    ("TECH", "Science et technologie", "Science and technology"),
    ("TRAN", "Transports", "Transport"),
];

const FREQUENCIES: &[Name] = &[
    ("1MIN", "toutes les minutes", "every minute"),
    ("5MIN", "toutes les cinq minutes", "every five minutes"),
    ("10MIN", "toutes les dix minutes", "every ten minutes"),
    ("15MIN", "tous les quarts d’heure", "every quarter of an hour"),
    ("30MIN", "toutes les demi-heures", "every half-hour"),
    ("12HRS", "toutes les douze heures", "every twelve hours"),
    ("ANNUAL", "tous les ans", "every year"),
    ("ANNUAL_2", "deux fois par an", "twice a year"),
    ("ANNUAL_3", "trois fois par an", "three times a year"),
    ("AS_NEEDED", "au besoin", "as needed"),
    ("BIDECENNIAL", "tous les vingt ans", "every twenty years"),
    ("BIENNIAL", "tous les deux ans", "every two years"),
    ("BIHOURLY", "toutes les deux heures", "every two hours"),
    ("BIMONTHLY", "tous les deux mois", "every two months"),
    ("BIWEEKLY", "toutes les deux semaines", "every two weeks"),
    ("CONT", "en continu", "continuously"),
    ("DAILY", "tous les jours", "every day"),
    ("DAILY_2", "deux fois par jour", "twice a day"),
    ("DECENNIAL", "tous les dix ans", "every ten years"),
    ("HOURLY", "toutes les heures", "every hour"),
    ("IRREG", "irrégulièrement", "irregularly"),
    ("MONTHLY", "tous les mois", "every month"),
    ("MONTHLY_2", "deux fois par mois", "twice a month"),
    ("MONTHLY_3", "trois fois par mois", "three times a month"),
    ("NEVER", "jamais", "never"),
    ("NOT_PLANNED", "rien n’est prévu", "nothing is planned"),
    ("OTHER", "à un autre rythme", "at another pace"),
    ("QUADRENNIAL", "tous les quatre ans", "every four years"),
    ("QUARTERLY", "tous les trimestres", "every quarter"),
    ("QUINQUENNIAL", "tous les cinq ans", "every five years"),
    ("TRIDECENNIAL", "tous les trente ans", "every thirty years"),
    ("TRIENNIAL", "tous les trois ans", "every three years"),
    ("TRIHOURLY", "toutes les trois heures", "every three hours"),
    ("UNKNOWN", "rythme inconnu", "unknown"),
    ("UPDATE_CONT", "à chaque changement", "at every change"),
    ("WEEKLY", "toutes les semaines", "every week"),
    ("WEEKLY_2", "deux fois par semaine", "twice a week"),
    ("WEEKLY_3", "trois fois par semaine", "three times a week"),
    ("WEEKLY_5", "cinq fois par semaine", "five times a week"),
];

const HIGH_VALUE_CATEGORIES: &[Name] = &[
    ("companies", "Entreprises et propriété d’entreprises", "Companies and company ownership"),
    ("earth-observation", "Observation de la Terre et environnement", "Earth observation and environment"),
    ("geospatial", "Données géospatiales", "Geospatial"),
    ("meteorological", "Données météorologiques", "Meteorological"),
    ("mobility", "Mobilité", "Mobility"),
    ("statistics", "Statistiques", "Statistics"),
];

const LIMITATIONS: &[Name] = &[
    (
        "a",
        "la confidentialité des travaux des autorités publiques",
        "the confidentiality of the proceedings of public authorities",
    ),
    (
        "b",
        "les relations internationales, la sécurité publique ou la défense nationale",
        "international relations, public security or national defence",
    ),
    (
        "c",
        "la bonne marche de la justice, le droit à un procès équitable ou une enquête pénale ou disciplinaire",
        "the course of justice, the right to a fair trial, or a criminal or disciplinary enquiry",
    ),
    (
        "d",
        "la confidentialité des informations commerciales ou industrielles, le secret statistique ou le secret fiscal",
        "the confidentiality of commercial or industrial information, statistical confidentiality or tax secrecy",
    ),
    ("e", "les droits de propriété intellectuelle", "intellectual property rights"),
    ("f", "la confidentialité des données à caractère personnel", "the confidentiality of personal data"),
    (
        "g",
        "la protection de qui a fourni les informations de son plein gré",
        "the protection of whoever supplied the information voluntarily",
    ),
    (
        "h",
        "la protection de l’environnement, comme la localisation d’espèces rares",
        "the protection of the environment, such as the location of rare species",
    ),
];

const LANGUAGES: &[Name] = &[
    ("ARA", "arabe", "Arabic"),
    ("BRE", "breton", "Breton"),
    ("BUL", "bulgare", "Bulgarian"),
    ("CAT", "catalan", "Catalan"),
    ("CES", "tchèque", "Czech"),
    ("COR", "cornique", "Cornish"),
    ("COS", "corse", "Corsican"),
    ("DAN", "danois", "Danish"),
    ("DEU", "allemand", "German"),
    ("ELL", "grec", "Greek"),
    ("ENG", "anglais", "English"),
    ("EST", "estonien", "Estonian"),
    ("EUS", "basque", "Basque"),
    ("FIN", "finnois", "Finnish"),
    ("FRA", "français", "French"),
    ("GLE", "irlandais", "Irish"),
    ("GSW", "suisse alémanique et alsacien", "Swiss German and Alsatian"),
    ("HRV", "croate", "Croatian"),
    ("HUN", "hongrois", "Hungarian"),
    ("ITA", "italien", "Italian"),
    ("LAV", "letton", "Latvian"),
    ("LIT", "lituanien", "Lithuanian"),
    ("LTZ", "luxembourgeois", "Luxembourgish"),
    ("MLT", "maltais", "Maltese"),
    ("MUL", "plusieurs langues", "several languages"),
    ("NLD", "néerlandais", "Dutch"),
    ("OCI", "occitan", "Occitan"),
    ("POL", "polonais", "Polish"),
    ("POR", "portugais", "Portuguese"),
    ("RON", "roumain", "Romanian"),
    ("RUS", "russe", "Russian"),
    ("SLK", "slovaque", "Slovak"),
    ("SLV", "slovène", "Slovenian"),
    ("SPA", "espagnol", "Spanish"),
    ("SWE", "suédois", "Swedish"),
    ("TUR", "turc", "Turkish"),
    ("UKR", "ukrainien", "Ukrainian"),
    ("ZHO", "chinois", "Chinese"),
];

/// The EU's codes, which are those of ISO 639-3, and the tags of BCP 47, which are the shortest of ISO 639.
const TAGS: &[(&str, &str)] = &[
    ("ARA", "ar"),
    ("BRE", "br"),
    ("BUL", "bg"),
    ("CAT", "ca"),
    ("CES", "cs"),
    ("COR", "kw"),
    ("COS", "co"),
    ("DAN", "da"),
    ("DEU", "de"),
    ("ELL", "el"),
    ("ENG", "en"),
    ("EST", "et"),
    ("EUS", "eu"),
    ("FIN", "fi"),
    ("FRA", "fr"),
    ("GLE", "ga"),
    ("GSW", "gsw"),
    ("HRV", "hr"),
    ("HUN", "hu"),
    ("ITA", "it"),
    ("LAV", "lv"),
    ("LIT", "lt"),
    ("LTZ", "lb"),
    ("MLT", "mt"),
    ("MUL", "mul"),
    ("NLD", "nl"),
    ("OCI", "oc"),
    ("POL", "pl"),
    ("POR", "pt"),
    ("RON", "ro"),
    ("RUS", "ru"),
    ("SLK", "sk"),
    ("SLV", "sl"),
    ("SPA", "es"),
    ("SWE", "sv"),
    ("TUR", "tr"),
    ("UKR", "uk"),
    ("ZHO", "zh"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Language::*, *};

    /// Exactly these codes have names, no two alike in a language.
    fn complete(names: &[Name], codes: &[&str]) {
        assert_eq!(names.iter().map(|(code, _, _)| *code).collect::<Vec<_>>(), codes);
        let french: BTreeSet<&str> = names.iter().map(|(_, french, _)| *french).collect();
        let english: BTreeSet<&str> = names.iter().map(|(_, _, english)| *english).collect();
        assert_eq!((french.len(), english.len()), (names.len(), names.len()));
        assert!(french.union(&english).all(|word| !word.is_empty() && word.trim() == *word));
    }

    #[test]
    fn every_code_of_every_closed_list_has_a_name_in_both_languages() {
        complete(THEMES, &Theme::ALL.iter().map(|it| it.code()).collect::<Vec<_>>());
        complete(FREQUENCIES, &Frequency::ALL.iter().map(|it| it.code()).collect::<Vec<_>>());
        complete(HIGH_VALUE_CATEGORIES, &HighValueCategory::ALL.iter().map(|it| it.code()).collect::<Vec<_>>());
        complete(LIMITATIONS, &Limitation::ALL.iter().map(|it| it.code()).collect::<Vec<_>>());
        complete(LANGUAGES, &DataLanguage::ALL.iter().map(|it| it.code()).collect::<Vec<_>>());
        let tagged: Vec<&str> = TAGS.iter().map(|(code, _)| *code).collect();
        assert_eq!(tagged, DataLanguage::ALL.iter().map(|it| it.code()).collect::<Vec<_>>());
        let tags: BTreeSet<&str> = DataLanguage::ALL.iter().map(|it| language_tag(*it)).collect();
        assert_eq!(tags.len(), DataLanguage::ALL.len());
    }

    #[test]
    fn names_are_in_the_language_that_is_asked_for() {
        assert_eq!(theme("TRAN".parse().unwrap(), French), "Transports");
        assert_eq!(frequency("BIWEEKLY".parse().unwrap(), English), "every two weeks");
        assert_eq!(data_language("OCI".parse().unwrap(), French), "occitan");
        assert_eq!(language_tag("COS".parse().unwrap()), "co");
        assert_eq!(limitation(Limitation::PERSONAL_DATA, English), "the confidentiality of personal data");
    }

    #[test]
    fn long_texts_are_cut_between_words() {
        assert_eq!(beginning("des mesures", 11), "des mesures");
        assert_eq!(beginning("des mesures horaires", 15), "des mesures…");
        assert_eq!(beginning("anticonstitutionnellement", 5), "anti…");
    }

    proptest! {
        #[test]
        fn a_beginning_is_short_enough_and_begins_the_text(text in ".{0,80}", most in 1_usize..80) {
            let cut = beginning(&text, most);
            prop_assert!(cut.chars().count() <= most);
            prop_assert!(text.starts_with(cut.trim_end_matches('…')));
        }
    }
}
