//! How many connections there are, in all and from each address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// The seats of one listener.
#[derive(Debug, Clone)]
pub(super) struct Seats {
    total: usize,
    per_address: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    // Never longer than `total`: an address without a seat is forgotten.
    by_address: HashMap<IpAddr, usize>,
}

/// A seat; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    address: IpAddr,
}

/// No seat was free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Listener,
    Address,
}

impl Full {
    /// The word in metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Listener => "listener_full",
            Self::Address => "address_full",
        }
    }
}

impl Seats {
    pub(super) fn new(total: usize, per_address: usize) -> Self {
        Self { total, per_address, taken: Arc::default() }
    }

    pub(super) fn take(&self, address: IpAddr) -> Result<Seat, Full> {
        let address = neighbourhood(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.total {
            return Err(Full::Listener);
        }
        let here = taken.by_address.entry(address).or_default();
        if *here >= self.per_address {
            return Err(Full::Address);
        }
        *here += 1;
        taken.total += 1;
        Ok(Seat { seats: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        if let Some(here) = taken.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv6 subscriber has a whole /64 to call from.
pub(super) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn seats_are_bounded_and_given_back() {
        let seats = Seats::new(3, 2);
        let first = seats.take(address("192.0.2.1")).unwrap();
        let _second = seats.take(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(seats.take(address("192.0.2.1")).unwrap_err(), Full::Address);
        let _third = seats.take(address("2001:db8::1")).unwrap();
        assert_eq!(seats.take(address("2001:db8::2")).unwrap_err(), Full::Listener);
        drop(first);
        let fourth = seats.take(address("2001:db8::2")).unwrap();
        drop(fourth);
        assert_eq!(seats.taken.lock().unwrap().by_address.len(), 2);
    }
}
