//! Texts that look a little like what rules look for, and tell nothing. Each line is a false positive that was thought
//! of.

use octroi_proto::Level::{Public, QuasiSensitive, Sensitive};

use super::{Case, hold};

/// Nothing of these blocks at any level.
const HARMLESS: &[&str] = &[
    // Years, days, durations, rhythms.
    "Données de 2019 à 2023, mises à jour tous les 10 jours.",
    "Collected between 2019 and 2023 at 15-minute intervals.",
    "Relevés depuis le 1er janvier 2019, conservés 5 ans.",
    "Années disponibles : 2019, 2020, 2021, 2022.",
    "Comptages de 7 h à 9 h et de 16 h à 19 h, par tranche de 15 min, 40 capteurs.",
    "Published from 2021-01-01 to 2024-12-31, at most 24 hours after the reading.",
    "Durée maximale de conservation : 5 ans ; délai maximum de 2 mois.",
    "Une semaine par saison en 2013, soit quatre semaines.",
    // Laws, standards, licences, versions.
    "Traitement fondé sur l’article 6 du RGPD et l’article 13 de la directive 2007/2/CE.",
    "Conforme à ISO 19115-1:2014, EN 15251 et RFC 7946 ; par exemple ISO 8601 pour les dates.",
    "Coordonnées en EPSG:2154 (Lambert-93) ou EPSG:4326 (WGS84).",
    "Licence Ouverte 2.0 ; profil DCAT-AP 3.0.1, version 1.4.2.1 du schéma.",
    "Regulation (EU) 2016/679, article 4(5), and Creative Commons Attribution 4.0.",
    "Polluants mesurés, par exemple PM10, PM2.5, NO2 et O3 (µg/m3).",
    "Routes telles que la D974, l’A38 et la N274.",
    "Lignes 101, 102, 103 et 104 ; codes postaux 21000, 21121, 21160, 21240.",
    "Logement 2019, mobilité 2021 ; arrêtés de 2019, 2020, 2021, 2022.",
    // Method, thresholds, resolution, coverage.
    "Les cases de moins de cinq trajets sont omises.",
    "Îlots d’au moins cinq logements ; les îlots de moins de 5 ménages sont supprimés.",
    "Cells of fewer than five households are left out.",
    "Le secret statistique s’applique : au minimum 11 ménages par cellule.",
    "Seuil de 11 personnes ; au plus 3 décimales après arrondi.",
    "Grille de 200 m, 500 m et 1 km selon la densité.",
    "Carreaux de 200 m à 1 km de côté, précision de 5 à 10 m.",
    "Capteur dont la plage de mesure va de -40 °C à 85 °C.",
    "Humidité relative de 0 à 100 %, vent maximal à 10 m.",
    "Entre 95 et 99 % de couverture selon les communes.",
    "Response rate between 62 and 78 % of the panel.",
    "Rayon maximal de 500 m autour des arrêts.",
    "Réponses sur une échelle de 1 à 5.",
    "Personnes de 18 à 64 ans, ménages de 2 à 5 personnes par classes.",
    "Paramètres : epsilon=0.5, delta=0.001, k=11.",
    "Codes : 1=ouvré, 2=samedi, 3=dimanche.",
    // Counts that are large, shares, governance.
    "Les 336 776 départs de New York en 2013 avec leurs retards.",
    "The 336,776 departures from New York in 2013 with their delays.",
    "Panel de 1 200 ménages, 2,3 personnes par ménage en moyenne.",
    "Un ménage sur 5 est équipé ; 24 communes, 3 cours d’eau et 12 places de parking.",
    "L’accès est validé par deux personnes habilitées.",
    "Each request is approved by two people of the data office.",
    "Passages à 4 compteurs vélo par heure et par sens.",
    "Table des personnes : âge, activité, commune ; table des ménages : surface, voitures.",
    // Places at the level's precision, and words that streets share.
    "Emprise : 4.90, 47.20, 5.20, 47.40 (degrés).",
    "Centre de Dijon vers 47,32 ; 5,04.",
    "Latitude et longitude de la commune, arrondies à 2 décimales.",
    "Agrégé à la rue, puis mis en place à l’échelle du quartier.",
    "Mise en place Vélo & Territoires ; route, chemin et avenue ne sont pas nommés.",
    "Position près de 47° 19′ N, 5° 2′ E.",
    // Public links, formats, paths that are none.
    "Voir https://www.insee.fr/fr/information/2383410 et https://data.dijon.example/dataset/velos?page=2&lang=fr.",
    "Vitesse en km/h, vent en m/s et/ou bruit en dB(A), formats CSV/GeoJSON.",
    "Données du portail data.gouv.fr et du paquet nycflights13 (CRAN).",
    "Contact : data@dijon.example, ou dpo@dijon.example pour vos droits.",
    "Numéro vert 0 800 21 3000 ; numéro court 3949.",
    "Code INSEE de la commune, par exemple 21231 pour Dijon.",
    "Chauffage, par exemple « gaz » ou « bois ».",
    "Relevés de 2026 et lot a.b du marché.",
    "Température moyenne, minimale et maximale de chaque jour.",
    "Mean, min and max temperature by day and by station.",
    "Horodatage au format 12:30:45, fuseau Europe/Paris.",
    "For instance, the temperature of dwellings with sensors is an indicator of comfort.",
    "Indicateurs tels que le taux de chômage ou la part des locataires.",
    "Identifiant ORCID ou DOI 10.5281/zenodo.1234 de la publication.",
    "Modèles d’avions Boeing 737-800 et Airbus A320-232.",
    "Commandé en 2024 rue par rue ; 5 minutes, 3 niveaux.",
];

#[test]
fn nothing_is_found_where_nothing_is_told() {
    let cases: Vec<Case> = [Public, QuasiSensitive, Sensitive]
        .into_iter()
        .flat_map(|level| HARMLESS.iter().map(move |text| (level, *text, "")))
        .collect();
    hold(&cases);
}
