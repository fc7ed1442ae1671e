//! Texts that tell something of the data, the persons or the machines, and by which rule that is found.

use octroi_proto::Level::{Public, QuasiSensitive, Sensitive};

use super::hold;

#[test]
fn values_of_the_data() {
    hold(&[
        (Sensitive, "Température des logements, par exemple 19,5 °C ; 20,1 °C le matin.", "sample-values"),
        (QuasiSensitive, "Température des logements, par exemple 19,5 °C.", "sample-values"),
        (Public, "Température de l’air, par exemple 19,5 °C.", ""),
        (Sensitive, "Relevés horaires (p. ex. 20.1, 19.8).", "sample-values"),
        (Sensitive, "Hourly consumption of each meter, e.g. 412 Wh at night.", "sample-values"),
        (Sensitive, "Meters are numbered such as K0012345 by the grid operator.", "sample-values"),
        (QuasiSensitive, "Identifiants de bornes, ex. : BORNE-2041-A.", "sample-values"),
        (Sensitive, "Le motif de la visite, par exemple « violences conjugales », est codé.", "sample-values"),
        (Sensitive, "The reason of the visit, for example \"domestic violence\", is coded.", "sample-values"),
        (Sensitive, "Date de naissance, par exemple 12/05/1984, et sexe.", "sample-values"),
        (Sensitive, "Valeurs observées : 3412, 2875 et 3990.", "sample-values"),
        (Sensitive, "Échantillon de relevés : 19,5 puis 20,1.", "sample-values"),
        (Sensitive, "Consommations de la nuit 0,42 ; 0,38 ; 0,51 relevées au compteur.", "sample-values"),
        (QuasiSensitive, "Niveaux de bruit 62 dB, 65 dB et 71 dB devant l’école.", "sample-values"),
        (Sensitive, "Le ménage 4521 chauffe au bois.", "sample-values"),
        (Sensitive, "Soit 3412, 2875, 3990, 4121 la nuit.", "sample-values"),
        (Sensitive, "4521,2024-01-15T08:00,19.5,62", "sample-values"),
        (Sensitive, "Format :\n4521;21231;19,5;62\n4522;21231;20,1;58", "sample-values"),
        (Sensitive, "Une ligne : 4521; 2024-01-15; 19,5; 62", "sample-values"),
        (Sensitive, "4521\t2024-01-15\t19,5", "sample-values"),
        (QuasiSensitive, "| capteur | valeur |\n| 4521 | 19,5 |", "sample-values"),
        (Sensitive, "Each record holds household=4521, temperature=19.5", "sample-values"),
        (QuasiSensitive, "Objet JSON {\"capteur\": 4521, \"valeur\": 19.5}", "sample-values"),
    ]);
}

#[test]
fn the_least_and_the_greatest() {
    hold(&[
        (Sensitive, "Température minimale 12,5 °C, maximale 31 °C.", "minimum-or-maximum"),
        (Sensitive, "Consommation maximale observée : 4521 Wh.", "minimum-or-maximum"),
        (QuasiSensitive, "Highest speed recorded was 143 km/h on the ring road.", "minimum-or-maximum"),
        (Sensitive, "Electricity (Wh), min=0 max=4521", "minimum-or-maximum"),
        (Sensitive, "Le plus grand logement mesure 412 m².", "minimum-or-maximum"),
        (Sensitive, "Temps de trajet maximum de 143 minutes.", "minimum-or-maximum"),
        (Sensitive, "Consommations de 3 à 250 kWh par semaine.", "minimum-or-maximum"),
        (Sensitive, "Humidité entre 31 et 94 % dans les chambres.", "minimum-or-maximum"),
        (Sensitive, "Température (de 12,5 °C à 31,0 °C) de chaque pièce.", "minimum-or-maximum"),
        (QuasiSensitive, "Temperatures range from 12.5 to 31 °C.", "minimum-or-maximum"),
        (QuasiSensitive, "Indoor readings between 12.5 and 31.0.", "minimum-or-maximum"),
        (Sensitive, "Températures : 12,5–31,0 °C.", "minimum-or-maximum"),
        (Sensitive, "Les ménages comptent au plus 12 personnes.", "minimum-or-maximum"),
        (Sensitive, "Households have up to 12 people.", "minimum-or-maximum"),
        (QuasiSensitive, "Le bruit atteint jusqu’à 97 dB la nuit.", "minimum-or-maximum"),
        (Public, "Température maximale observée : 41,2 °C.", ""),
    ]);
}

#[test]
fn counts_under_the_threshold() {
    hold(&[
        (Sensitive, "L’enquête a suivi 7 ménages de la commune de Corcelles.", "count-under-threshold"),
        (Sensitive, "Three households in the village heat with coal.", "count-under-threshold"),
        (Sensitive, "Trois personnes ont refusé.", "count-under-threshold"),
        (QuasiSensitive, "Données de 9 compteurs communicants du quartier.", "count-under-threshold"),
        (QuasiSensitive, "Readings of 8 smart meters in one building.", "count-under-threshold"),
        (Sensitive, "Dans cet îlot, 10 autres logements sont vacants.", "count-under-threshold"),
        (Sensitive, "La maladie a touché moins de 5 enfants de l’école.", "count-under-threshold"),
        (Sensitive, "0 décès en 2023.", "count-under-threshold"),
        (Public, "Trois personnes ont été blessées.", ""),
        (Sensitive, "L’enquête a suivi 11 ménages.", ""),
        (Sensitive, "L’enquête a suivi 1 252 ménages et 3 004 personnes.", ""),
        (Sensitive, "The panel has 1,252 households.", ""),
    ]);
}

#[test]
fn streets_and_coordinates() {
    hold(&[
        (QuasiSensitive, "Capteur posé au 12 rue de la Liberté à Dijon.", "street-address"),
        (QuasiSensitive, "Capteur posé au 12 bis, avenue foch.", "street-address"),
        (Sensitive, "Borne au 3 place de la République.", "street-address"),
        (QuasiSensitive, "Sensor at 350 Fifth Avenue, seen from the pavement.", "street-address"),
        (Sensitive, "Sensor at 10 Downing Street.", "street-address"),
        (Sensitive, "Passages de piétons rue Monge.", "street-name"),
        (Sensitive, "Enquête auprès des habitants du boulevard de Brosses.", "street-name"),
        (Sensitive, "Air quality on Wall Street.", "street-name"),
        (QuasiSensitive, "Passages de piétons rue Monge.", ""),
        (Public, "Comptage au 12 rue de la Liberté.", ""),
        (QuasiSensitive, "Station située en 47.322, 5.0410 au centre.", ""),
        (QuasiSensitive, "Station située en 47.32201, 5.04152 au centre.", "precise-coordinates"),
        (Sensitive, "Station située en 47,322 ; 5,041 au centre.", "precise-coordinates"),
        (Sensitive, "POINT(5.0415 47.3220)", "precise-coordinates"),
        (Sensitive, "Latitude : 47.32201", "precise-coordinates"),
        (QuasiSensitive, "Le capteur est à 47,32201° N.", "precise-coordinates"),
        (QuasiSensitive, "Le capteur est à 47°19'20\" N 5°02'29\" E.", "precise-coordinates"),
        (QuasiSensitive, "Coordonnées Lambert-93 : 854321, 6690123.", "precise-coordinates"),
        (Public, "Station située en 47.32201, 5.04152.", ""),
    ]);
}

#[test]
fn objects_files_and_machines() {
    hold(&[
        (QuasiSensitive, "Le fichier menages_2024.parquet contient tout.", "object-key"),
        (Sensitive, "Voir brut/menages_2024.parquet pour le détail.", "object-key"),
        (Sensitive, "Téléchargeable ici : https://data.dijon.example/f/2026/relevés n°1.csv", "object-key"),
        (QuasiSensitive, "Commencer par lisez-moi.txt.", "object-key"),
        (Public, "Commencer par lisez-moi.txt, puis 2026/relevés n°1.csv.", ""),
        (QuasiSensitive, "Exports mensuels sous exports/2024/menages.csv", "file-in-folder"),
        (Public, "Exports mensuels sous exports/2024/communes.csv", ""),
        (Public, "Données lues dans /srv/lac/brut chaque nuit.", "file-path"),
        (Sensitive, "Copie sur C:\\Donnees\\menages et \\\\partage\\sig\\brut", "file-path"),
        (QuasiSensitive, "Source : s3://lac-dijon/brut/2024/", "file-path"),
        (Public, "Base jdbc:postgresql://base/sig", "file-path"),
        (Public, "Extrait de la base de srv-sig01 chaque nuit.", "host-name"),
        (Public, "Service publié par geo.metropole.lan et geoserver:8080.", "host-name"),
        (Sensitive, "Table of pg-prod, refreshed nightly.", "host-name"),
        (Sensitive, "Tableau de bord : data.dijon.example:3000", "host-name"),
        (Public, "Passerelle 10.21.4.7 du site technique.", "ip-address"),
        (Public, "Gateway fd12:3456:789a::1 of the plant.", "ip-address"),
        (Public, "API interne : http://geoserver/wfs?service=WFS", "private-address"),
        (Public, "API : https://data.dijon.example:8443/api", "private-address"),
        (Sensitive, "Voir http://192.168.1.20/doc.", "private-address"),
        (Sensitive, "Voir https://jean:secret@data.dijon.example/doc", "private-address"),
        (Public, "See https://intranet.dijon.example/sig for the method.", "private-address"),
    ]);
}

#[test]
fn persons() {
    hold(&[
        (Public, "Question à jean.dupont@dijon.example ou au guichet.", "email-address"),
        (Sensitive, "Ask jean.dupont@lab.univ.example.", "email-address"),
        (Public, "Réclamations au 03 80 50 35 35.", "telephone-number"),
        (Sensitive, "Astreinte : +33 (0)6.12.34.56.78", "telephone-number"),
        (Public, "Call +44 20 7946 0018 for help.", "telephone-number"),
        (Public, "Le véhicule AB-123-CD du parc.", "registration-plate"),
        (Sensitive, "Plaques lues telles que AB 123 CD.", "registration-plate sample-values"),
        (Sensitive, "The car 1234 XY 21 was seen twice.", "registration-plate"),
        (Public, "NIR de test 2 55 08 14 168 025 38.", "social-security-number"),
        (Sensitive, "Numéro de sécurité sociale (2550814168025).", "social-security-number"),
        (Public, "Versement sur FR76 3000 6000 0112 3456 7890 189 chaque mois.", "bank-account"),
        (Public, "Borne wifi 00:1B:44:11:3A:B7.", "device-identifier"),
        (Sensitive, "Terminal 490154203237518 du panel.", "device-identifier"),
        (Sensitive, "Foyer 7d444840-9dc0-11d1-b245-5ffdce74fad2 du panel.", "unique-identifier"),
        (Sensitive, "e.g. AB-123-CD", "registration-plate sample-values"),
    ]);
}

#[test]
fn hidden_columns() {
    hold(&[
        (Sensitive, "Contient aussi num_allocataire pour le rapprochement.", "hidden-column"),
        (Sensitive, "La colonne revenu est tenue à part.", "hidden-column"),
        (Sensitive, "The field `revenu` is kept apart.", "hidden-column"),
        (Sensitive, "Voir foyers.revenu.", "hidden-column"),
        (Sensitive, "Le revenu des foyers n’est pas dans ces données.", ""),
        (Sensitive, "Colonnes : logement, commune, chauffage.", ""),
    ]);
}
