//! Text for Terraform.

/// A string of HCL, without interpolation.
pub(crate) fn hcl(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
}
