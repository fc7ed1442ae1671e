fn main() {
    let city = octroi_tests::attack::arena::city(&[]);
    let words: Vec<String> = std::env::args().skip(1).collect();
    use octroi_tests::attack::{arena, fixed, gate::Live, table::Terms, town::Town};
    let chosen: Vec<_> = fixed::attacks()
        .into_iter()
        .filter(|it| it.terms == Terms::default() && words.iter().any(|w| it.name.contains(w.as_str())))
        .collect();
    let towns: Vec<Town> = (0..chosen.len()).map(|n| Town::new(&format!("town{n}"), n as u64)).collect();
    let tables: Vec<_> = towns.iter().map(|t| t.table.clone()).collect();
    let t = std::time::Instant::now();
    arena::host(&city, "town", "vm", &tables, Terms::default());
    eprintln!("hosted {} in {:?}", tables.len(), t.elapsed());
    for (attack, town) in chosen.iter().zip(&towns) {
        let t = std::time::Instant::now();
        let mut live = Live::new(&city, "town", &town.table, "vm");
        let score = attack.run(&mut live, town);
        eprintln!("{}: {score:?} {} questions in {:?}", attack.name, live.asked, t.elapsed());
    }
}
