//! Use cases over a store, without a server.

mod offers;
