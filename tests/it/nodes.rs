//! The same app served by several processes on one database: what one does, the others know.

mod balancer;
mod rolling;
mod shared;
