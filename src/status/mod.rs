//! The status of a team ([`team`], [`production`]) and of each namespaced kind
//! ([`work`]). How live objects are is judged in [`health`]. Pure: no client, no clock.

pub mod health;
pub mod production;
pub mod team;
pub mod work;
