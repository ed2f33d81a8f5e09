//! The contextual memory of Loci: what a model reads is written into a [`store::KvStore`], and a recipe of
//! five parts decides what later queries see of it.
//!
//! | part | question it answers |
//! |---|---|
//! | [`segment`] | where does one block of history end? |
//! | [`index`] | by what is a block found again? |
//! | [`select`] | which rows does this group of queries read? |
//! | [`place`] | at which distance do the chosen keys stand? |
//! | [`keep`] | what may be dropped, and when? |
//!
//! A published method is one short file in [`recipes`]; [`registry`] lists them; [`memory::RecipeMemory`] runs
//! any of them behind the seam [`loci_models::memory::ContextMemory`].

pub mod heads;
pub mod index;
pub mod keep;
pub mod kmeans;
pub mod memory;
pub mod place;
pub mod random;
pub mod recipes;
pub mod registry;
pub mod segment;
pub mod select;
pub mod shorten;
pub mod spec;
pub mod store;

mod attention;
mod evidence;
mod parallel;
mod queries;
mod saved;

pub use recipes::exchange::Part;
pub use spec::{BuildContext, BuildError, MethodSpec, looks};
