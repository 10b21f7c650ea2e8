mod mysql;
mod redis;
mod servers;
