//! From what was published and what was received to how long it took.

use std::collections::HashMap;

use crate::{
    child::Publication,
    player::{Position, Receipt, Target},
};

/// How long replies took.
#[derive(Debug, PartialEq)]
pub(crate) struct Delays {
    /// Milliseconds from each publication to its last byte at each player.
    pub(crate) sorted_ms: Vec<f64>,
    /// Replies that came before there was anything to say.
    pub(crate) early: usize,
}

/// Holds the receipts of all players against the publications `measured`, in order; others are left out.
pub(crate) fn delays(target: Target, measured: &[Publication], players: &[Vec<Receipt>]) -> Delays {
    let arrivals: Vec<(u64, u64)> = match target {
        Target::Playlist | Target::Part => {
            let published: HashMap<Position, u64> =
                measured.iter().map(|part| (part.position, part.at)).collect();
            let all = players.iter().flatten();
            all.filter_map(|receipt| Some((*published.get(&receipt.asked)?, receipt.at))).collect()
        }
        Target::Segment => players.iter().flat_map(|receipts| chunks(measured, receipts)).collect(),
    };
    let mut sorted_ms: Vec<f64> = arrivals
        .iter()
        .filter_map(|(published, received)| Some(received.checked_sub(*published)? as f64 / 1e6))
        .collect();
    sorted_ms.sort_by(f64::total_cmp);
    Delays { early: arrivals.len() - sorted_ms.len(), sorted_ms }
}

/// When each part of the segments that one player asked for was there, of those that it has heard to their end.
fn chunks(measured: &[Publication], receipts: &[Receipt]) -> Vec<(u64, u64)> {
    let mut segments: HashMap<u64, Vec<&Receipt>> = HashMap::new();
    for receipt in receipts {
        segments.entry(receipt.asked.segment).or_default().push(receipt);
    }
    let arrival = |part: &Publication| {
        let received = segments.get(&part.position.segment)?;
        // Bytes only grow, so the first receipt that has them all is the part's last byte.
        let complete = received.partition_point(|receipt| receipt.bytes < part.bytes);
        Some((part.at, received.get(complete)?.at))
    };
    measured.iter().filter_map(arrival).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn part(segment: u64, part: u32, ms: u64, bytes: u64) -> Publication {
        Publication { position: Position { segment, part }, at: ms * MS, bytes }
    }

    fn receipt(segment: u64, part: u32, ms: u64, bytes: u64) -> Receipt {
        Receipt { asked: Position { segment, part }, at: ms * MS, bytes }
    }

    #[test]
    fn a_reply_is_held_against_the_publication_that_it_was_about() {
        let published = [part(7, 0, 100, 10), part(7, 1, 200, 20)];
        let players = [
            vec![receipt(6, 4, 50, 1), receipt(7, 0, 103, 1), receipt(7, 1, 201, 1)],
            vec![receipt(7, 0, 99, 1), receipt(7, 1, 209, 1), receipt(8, 0, 300, 1)],
        ];
        let found = delays(Target::Playlist, &published, &players);
        assert_eq!(found, Delays { sorted_ms: vec![1.0, 3.0, 9.0], early: 1 });
    }

    #[test]
    fn a_chunk_has_come_when_all_bytes_up_to_its_end_have() {
        let published = [part(7, 0, 100, 10), part(7, 1, 200, 20), part(8, 0, 300, 5)];
        let players = [vec![
            receipt(7, 0, 101, 4),
            receipt(7, 0, 102, 10),
            receipt(7, 0, 202, 15),
            receipt(7, 0, 204, 20),
            receipt(8, 0, 301, 4),
        ]];
        let found = delays(Target::Segment, &published, &players);
        assert_eq!(found, Delays { sorted_ms: vec![2.0, 4.0], early: 0 });
    }
}
