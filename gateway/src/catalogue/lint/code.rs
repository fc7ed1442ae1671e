//! The rules by name: how grave each is at which level, and what it tells people.

use std::fmt;

use octroi_proto::Level;

use crate::catalogue::Language;

/// Whether a finding stands against publication; what blocks is less than what does not, so that it comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The dataset is not published, or not described so, until it is gone.
    Blocks,
    /// Better metadata would help others.
    Advice,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Advice => "advice",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Values as they are in the data.
    SampleValues,
    /// The least or the greatest value, or both.
    MinimumOrMaximum,
    /// So few persons, households or meters that they are not a crowd.
    CountUnderThreshold,
    /// A street with a number.
    StreetAddress,
    /// A street.
    StreetName,
    /// Degrees with more decimals than the level allows, seconds of arc, or metres of a projection.
    PreciseCoordinates,
    /// The key of a stored object.
    ObjectKey,
    /// A file with the folders that it lies in.
    FileInFolder,
    /// A link that works inside only.
    PrivateAddress,
    /// A machine's name.
    HostName,
    /// A machine's number (RFC 791, RFC 4291).
    IpAddress,
    /// A path of a file system or of an object store.
    FilePath,
    /// A column that the schema hides.
    HiddenColumn,
    /// An e-mail address, other than the contact point's and than desks have.
    EmailAddress,
    /// A telephone number.
    TelephoneNumber,
    /// A registration plate.
    RegistrationPlate,
    /// A number of the register of persons (NIR).
    SocialSecurityNumber,
    /// An IBAN (ISO 13616).
    BankAccount,
    /// A MAC address (IEEE 802) or an IMEI (3GPP TS 23.003).
    DeviceIdentifier,
    /// A UUID (RFC 9562).
    UniqueIdentifier,
    /// No text in French.
    MissingFrench,
    /// No text in English.
    MissingEnglish,
    /// A description that hardly says anything.
    ShortDescription,
    /// No theme, by which portals sort.
    NoTheme,
    /// No keyword, by which people search.
    NoKeywords,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::SampleValues,
        Self::MinimumOrMaximum,
        Self::CountUnderThreshold,
        Self::StreetAddress,
        Self::StreetName,
        Self::PreciseCoordinates,
        Self::ObjectKey,
        Self::FileInFolder,
        Self::PrivateAddress,
        Self::HostName,
        Self::IpAddress,
        Self::FilePath,
        Self::HiddenColumn,
        Self::EmailAddress,
        Self::TelephoneNumber,
        Self::RegistrationPlate,
        Self::SocialSecurityNumber,
        Self::BankAccount,
        Self::DeviceIdentifier,
        Self::UniqueIdentifier,
        Self::MissingFrench,
        Self::MissingEnglish,
        Self::ShortDescription,
        Self::NoTheme,
        Self::NoKeywords,
    ];

    /// Its name, which never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SampleValues => "sample-values",
            Self::MinimumOrMaximum => "minimum-or-maximum",
            Self::CountUnderThreshold => "count-under-threshold",
            Self::StreetAddress => "street-address",
            Self::StreetName => "street-name",
            Self::PreciseCoordinates => "precise-coordinates",
            Self::ObjectKey => "object-key",
            Self::FileInFolder => "file-in-folder",
            Self::PrivateAddress => "private-address",
            Self::HostName => "host-name",
            Self::IpAddress => "ip-address",
            Self::FilePath => "file-path",
            Self::HiddenColumn => "hidden-column",
            Self::EmailAddress => "email-address",
            Self::TelephoneNumber => "telephone-number",
            Self::RegistrationPlate => "registration-plate",
            Self::SocialSecurityNumber => "social-security-number",
            Self::BankAccount => "bank-account",
            Self::DeviceIdentifier => "device-identifier",
            Self::UniqueIdentifier => "unique-identifier",
            Self::MissingFrench => "missing-french",
            Self::MissingEnglish => "missing-english",
            Self::ShortDescription => "short-description",
            Self::NoTheme => "no-theme",
            Self::NoKeywords => "no-keywords",
        }
    }

    /// How grave it is of a dataset of this level; `None` where it is as it should be. Of public data everything but
    /// machines and persons may be told, since anyone can read it there.
    pub(super) fn severity(self, level: Level) -> Option<Severity> {
        match self {
            Self::SampleValues
            | Self::MinimumOrMaximum
            | Self::CountUnderThreshold
            | Self::StreetAddress
            | Self::PreciseCoordinates
            | Self::ObjectKey
            | Self::FileInFolder => (level > Level::Public).then_some(Severity::Blocks),
            Self::StreetName => match level {
                Level::Public => None,
                Level::QuasiSensitive => Some(Severity::Advice),
                Level::Sensitive => Some(Severity::Blocks),
            },
            // A public dataset may well name itself or its versions so.
            Self::UniqueIdentifier => match level {
                Level::Public => Some(Severity::Advice),
                Level::QuasiSensitive | Level::Sensitive => Some(Severity::Blocks),
            },
            Self::PrivateAddress
            | Self::HostName
            | Self::IpAddress
            | Self::FilePath
            | Self::HiddenColumn
            | Self::EmailAddress
            | Self::TelephoneNumber
            | Self::RegistrationPlate
            | Self::SocialSecurityNumber
            | Self::BankAccount
            | Self::DeviceIdentifier => Some(Severity::Blocks),
            Self::MissingFrench | Self::MissingEnglish | Self::ShortDescription | Self::NoTheme | Self::NoKeywords => {
                Some(Severity::Advice)
            }
        }
    }

    /// What was found, and what to write instead.
    pub(super) fn words(self, language: Language) -> (&'static str, &'static str) {
        match language {
            Language::French => self.french(),
            Language::English => self.english(),
        }
    }

    fn english(self) -> (&'static str, &'static str) {
        match self {
            Self::SampleValues => {
                ("look like values of the data", "say what is measured, in which unit and how often, and give no value")
            }
            Self::MinimumOrMaximum => (
                "look like a minimum, a maximum or a range of the data",
                "leave the figures out, or say that they are the measuring range of the device, if they are",
            ),
            Self::CountUnderThreshold => (
                "count fewer than 11 persons, households or meters",
                "leave the count out, or say that it is under the threshold",
            ),
            Self::StreetAddress => ("look like a street with a number", "name the district or the commune"),
            Self::StreetName => ("look like the name of a street", "name the district or the commune"),
            Self::PreciseCoordinates => (
                "are coordinates more precise than the level allows",
                "give degrees with at most 3 decimals for quasi-sensitive data and 2 for sensitive data",
            ),
            Self::ObjectKey => {
                ("repeat the key of a stored object", "describe what the files hold, not how they are called")
            }
            Self::FileInFolder => ("name a file with its folders", "describe what the files hold, not where they lie"),
            Self::PrivateAddress => (
                "are a link that works inside only, or that names a port or a user",
                "link to a page that everyone can open, or leave it out",
            ),
            Self::HostName => ("look like the name of a machine", "name the service or the organisation"),
            Self::IpAddress => ("are the address of a machine", "name the service or the organisation"),
            Self::FilePath => (
                "are a path of a file system or of a store",
                "leave it out, since data is reached through this catalogue alone",
            ),
            Self::HiddenColumn => ("name a column that the schema hides", "describe the dataset without it"),
            Self::EmailAddress => {
                ("are an e-mail address other than the contact point's", "refer to the contact point")
            }
            Self::TelephoneNumber => ("look like a telephone number", "refer to the contact point"),
            Self::RegistrationPlate => ("look like the registration plate of a vehicle", "describe its form in words"),
            Self::SocialSecurityNumber => ("look like a social security number", "describe its form in words"),
            Self::BankAccount => ("are the number of a bank account", "describe its form in words"),
            Self::DeviceIdentifier => {
                ("look like the number of a device (MAC address or IMEI)", "say what kind of device it is")
            }
            Self::UniqueIdentifier => ("are the identifier of a record (UUID)", "describe its form in words"),
            Self::MissingFrench => ("is missing in French", "add `fr`"),
            Self::MissingEnglish => ("is missing in English", "add `en`"),
            Self::ShortDescription => (
                "has fewer than 50 characters",
                "say what the data holds, who collects it, where, since when and for what",
            ),
            Self::NoTheme => ("is empty", "choose at least one theme, such as `ENVI` or `TRAN`"),
            Self::NoKeywords => ("is empty", "add the words that people would search for, in French and English"),
        }
    }

    fn french(self) -> (&'static str, &'static str) {
        match self {
            Self::SampleValues => (
                "ressemblent à des valeurs tirées des données",
                "dites ce qui est mesuré, dans quelle unité et à quel rythme, sans donner de valeur",
            ),
            Self::MinimumOrMaximum => (
                "ressemblent à un minimum, un maximum ou une étendue des données",
                "retirez les chiffres, ou dites que c’est la plage de mesure de l’appareil, si c’est le cas",
            ),
            Self::CountUnderThreshold => (
                "comptent moins de 11 personnes, ménages ou compteurs",
                "retirez ce nombre, ou dites qu’il est sous le seuil",
            ),
            Self::StreetAddress => ("ressemblent à une rue avec un numéro", "nommez le quartier ou la commune"),
            Self::StreetName => ("ressemblent à un nom de rue", "nommez le quartier ou la commune"),
            Self::PreciseCoordinates => (
                "sont des coordonnées plus précises que le niveau ne le permet",
                "donnez des degrés avec au plus 3 décimales (données quasi sensibles) ou 2 (données sensibles)",
            ),
            Self::ObjectKey => {
                ("reprennent la clé d’un objet déposé", "décrivez ce que contiennent les fichiers, pas leur nom")
            }
            Self::FileInFolder => (
                "nomment un fichier avec ses dossiers",
                "décrivez ce que contiennent les fichiers, pas leur emplacement",
            ),
            Self::PrivateAddress => (
                "sont un lien qui ne marche qu’en interne, ou qui nomme un port ou un utilisateur",
                "donnez un lien que tout le monde peut ouvrir, ou retirez-le",
            ),
            Self::HostName => ("ressemblent au nom d’une machine", "nommez le service ou l’organisme"),
            Self::IpAddress => ("sont l’adresse d’une machine", "nommez le service ou l’organisme"),
            Self::FilePath => (
                "sont un chemin de fichier ou d’entrepôt",
                "retirez-le, car on n’atteint les données que par ce catalogue",
            ),
            Self::HiddenColumn => ("nomment une colonne que le schéma cache", "décrivez le jeu de données sans elle"),
            Self::EmailAddress => {
                ("sont une adresse électronique autre que celle du point de contact", "renvoyez au point de contact")
            }
            Self::TelephoneNumber => ("ressemblent à un numéro de téléphone", "renvoyez au point de contact"),
            Self::RegistrationPlate => ("ressemblent à une plaque d’immatriculation", "décrivez sa forme par des mots"),
            Self::SocialSecurityNumber => {
                ("ressemblent à un numéro de sécurité sociale", "décrivez sa forme par des mots")
            }
            Self::BankAccount => ("sont un numéro de compte bancaire", "décrivez sa forme par des mots"),
            Self::DeviceIdentifier => (
                "ressemblent au numéro d’un appareil (adresse MAC ou IMEI)",
                "dites de quel genre d’appareil il s’agit",
            ),
            Self::UniqueIdentifier => {
                ("sont l’identifiant d’un enregistrement (UUID)", "décrivez sa forme par des mots")
            }
            Self::MissingFrench => ("n’a pas de texte en français", "ajoutez `fr`"),
            Self::MissingEnglish => ("n’a pas de texte en anglais", "ajoutez `en`"),
            Self::ShortDescription => (
                "compte moins de 50 caractères",
                "dites ce que contiennent les données, qui les recueille, où, depuis quand et pour quoi",
            ),
            Self::NoTheme => ("est vide", "choisissez au moins un thème, par exemple `ENVI` ou `TRAN`"),
            Self::NoKeywords => ("est vide", "ajoutez les mots que l’on chercherait, en français et en anglais"),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
