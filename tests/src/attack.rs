//! Attacks on what a gateway releases, and analyses that it should not hinder.
//!
//! ```text
//! Town, Trips       generated data with known secrets
//! Question          one form for what is asked: as SQL, and as what it means on the rows
//! Gate              whom it is asked: a gateway that runs, or nobody who protects anything
//! ways, channels    what attackers do; each ends in claims, which are even bets for whoever has not asked
//! honest            what analysts do; what passes the cell rules is known by a plain count
//! ```
//! An attack succeeds if its claims are right more often than a fair coin is once in a thousand times. Each is first tried
//! where nothing is protected, and must succeed there: one that cannot is none. *Excluded*, and said so: telling apart two
//! worlds that differ in one person whom the rounding hides, for someone who knows all the others.
//!
//! Sources: Hundepool et al., *Statistical Disclosure Control*, 2012; Denning, *Cryptography and Data Security*, 1982,
//! chapter 6; Denning, Denning and Schwartz 1979 and Schlörer 1980 on trackers; Dinur and Nissim 2003 on reconstruction;
//! Cohen and Nissim 2020 on linear reconstruction in practice; Kenthapadi, Mishra and Nissim 2005 on refusals that tell.

pub mod arena;
pub mod channels;
pub mod claims;
pub mod dice;
pub mod fixed;
pub mod gate;
pub mod hamlet;
pub mod honest;
pub mod plain;
pub mod question;
pub mod seen;
pub mod table;
pub mod town;
pub mod trips;
pub mod ways;
