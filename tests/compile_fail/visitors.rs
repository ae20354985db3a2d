//! What a visitor's request runs in is made by the app, without a way to a database.
use portcullis::app::visitor::VisitorContext; //~ E0603
use portcullis::app::registration::FrontDoor; //~ E0603

pub fn with_a_database(_: VisitorContext<'_>, _: FrontDoor<'_>) {}
