//! Hosts for tests. None of them is in the program.
//!
//! | host | for |
//! | --- | --- |
//! | [`MemoryHost`] | a file system in memory that can refuse paths and lose what was not synced |
//! | [`FaultyHost`] | wraps another host and fails, or dies, at its n-th effect |

mod faulty;
mod memory;

pub use faulty::{Fault, FaultyHost};
pub use memory::MemoryHost;
