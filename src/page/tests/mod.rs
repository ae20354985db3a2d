mod app;
mod desk;
mod golden;
mod reading;
mod sending;
mod store;
