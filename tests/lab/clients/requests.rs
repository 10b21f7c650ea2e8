//! Asks for the URL that is the second argument with the client that is the first, as the environment says.
//! `scripts/lab/clients` compiles it, with a manifest of its own.

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let limit = std::time::Duration::from_secs(5);
    match arguments[1].as_str() {
        "ureq" => {
            let agent = ureq::Agent::config_builder().timeout_global(Some(limit)).build().new_agent();
            let _ = agent.get(&arguments[2]).call();
        }
        _ => {
            let client = reqwest::blocking::Client::builder().timeout(limit).build().unwrap();
            let _ = client.get(&arguments[2]).send();
        }
    }
}
