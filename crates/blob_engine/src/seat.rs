//! Seats at the table and per-seat data.

use std::fmt;
use std::ops::{Index, IndexMut};

/// Most players at a table.
pub const MAX_PLAYERS: usize = 8;
/// Fewest players at a table.
pub const MIN_PLAYERS: usize = 3;

/// A player's place, 0 … P-1, clockwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat(u8);

impl Seat {
    /// Seat 0.
    pub const FIRST: Self = Self(0);

    /// Seat `index` at a table of `players`; `None` if there is no such seat.
    pub const fn new(index: usize, players: usize) -> Option<Self> {
        if index < players && players <= MAX_PLAYERS { Some(Self(index as u8)) } else { None }
    }

    /// 0 … P-1.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The seat `places` further clockwise at a table of `players`; `places <= players`.
    #[inline]
    #[must_use]
    pub const fn after(self, places: usize, players: usize) -> Self {
        let index = self.0 as usize + places;
        Self(if index >= players { index - players } else { index } as u8)
    }

    /// The relative seat: places clockwise from `observer` to this seat, 0 … P-1.
    #[inline]
    pub const fn relative_to(self, observer: Self, players: usize) -> usize {
        let (own, other) = (self.0 as usize, observer.0 as usize);
        if own >= other { own - other } else { own + players - other }
    }

    /// The seats 0 … players-1.
    #[inline]
    pub fn all(players: usize) -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        debug_assert!(players <= MAX_PLAYERS);
        (0..players as u8).map(Self)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.0)
    }
}

/// One entry for each seat; entries past the players hold their default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BySeat<T>(pub [T; MAX_PLAYERS]);

impl<T> BySeat<T> {
    /// The first `players` entries.
    #[inline]
    pub fn first(&self, players: usize) -> &[T] {
        &self.0[..players]
    }
}

impl<T> Index<Seat> for BySeat<T> {
    type Output = T;
    #[inline]
    fn index(&self, seat: Seat) -> &T {
        // The mask keeps the index in the array without a branch: a seat is below 8.
        &self.0[seat.index() & (MAX_PLAYERS - 1)]
    }
}

impl<T> IndexMut<Seat> for BySeat<T> {
    #[inline]
    fn index_mut(&mut self, seat: Seat) -> &mut T {
        &mut self.0[seat.index() & (MAX_PLAYERS - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_seats_invert_walking_round_the_table() {
        for players in MIN_PLAYERS..=MAX_PLAYERS {
            for observer in Seat::all(players) {
                for places in 0..players {
                    assert_eq!(observer.after(places, players).relative_to(observer, players), places);
                }
            }
        }
        assert_eq!(Seat::new(3, 3), None);
    }
}
