//! A browser without scripts: cookies, forms, redirects within the service, one kept connection.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};

/// Redirects that a browser follows before it gives up.
const MOST_HOPS: usize = 10;

/// Somebody at a browser.
#[derive(Debug, Clone)]
pub struct Browser {
    client: reqwest::Client,
    home: String,
    cookies: BTreeMap<String, String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Seen {
    pub status: u16,
    pub body: String,
    /// Where a redirect leads that leaves the service.
    pub leaves_to: Option<String>,
}

/// A page's form: where it posts to, and its hidden fields.
#[derive(Debug, Clone)]
pub struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Browser {
    /// A browser on the connection of `client`.
    pub fn new(client: &reqwest::Client, home: &str) -> Self {
        Self { client: client.clone(), home: home.to_owned(), cookies: BTreeMap::new() }
    }

    /// Fetches an address and follows redirects as long as they stay in the service.
    pub async fn get(&mut self, url: &str) -> Result<Seen> {
        self.go(url, None).await
    }

    /// Presses the button `action` of a page after filling in `typed`.
    pub async fn press(&mut self, seen: &Seen, action: &str, typed: &[(&str, &str)]) -> Result<Seen> {
        let form = seen.form(action)?;
        self.post(&form, typed).await
    }

    /// Posts a form after filling in `typed`.
    pub async fn post(&mut self, form: &Form, typed: &[(&str, &str)]) -> Result<Seen> {
        let mut fields = form.fields.clone();
        fields.retain(|(name, _)| typed.iter().all(|(other, _)| other != name));
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.go(&form.action, Some(fields)).await
    }

    async fn go(&mut self, url: &str, fields: Option<Vec<(String, String)>>) -> Result<Seen> {
        let (mut seen, mut location) = self.once(url, fields).await?;
        for _ in 0..MOST_HOPS {
            let Some(next) = location else { return Ok(seen) };
            let next = self.absolute(&next);
            if !next.starts_with(&self.home) {
                seen.leaves_to = Some(next);
                return Ok(seen);
            }
            (seen, location) = self.once(&next, None).await?;
        }
        bail!("redirects without end at {url}")
    }

    async fn once(&mut self, url: &str, fields: Option<Vec<(String, String)>>) -> Result<(Seen, Option<String>)> {
        let url = self.absolute(url);
        let mut request = match fields {
            Some(fields) => self.client.post(&url).form(&fields),
            None => self.client.get(&url),
        };
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, cookies.join("; "));
        }
        let answer = request.send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            self.keep(cookie.to_str()?);
        }
        let location = answer.headers().get(LOCATION).map(|value| value.to_str().map(str::to_owned)).transpose()?;
        let status = answer.status().as_u16();
        Ok((Seen { status, body: answer.text().await?, leaves_to: None }, location))
    }

    fn keep(&mut self, cookie: &str) {
        let Some((name, rest)) = cookie.split_once('=') else { return };
        let value = rest.split(';').next().unwrap_or_default();
        if value.is_empty() {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    fn absolute(&self, url: &str) -> String {
        if url.starts_with('/') { format!("{}{url}", self.home) } else { url.to_owned() }
    }
}

impl Seen {
    /// The form around the button that carries `action`. Reads just as much HTML as our own pages have.
    pub fn form(&self, action: &str) -> Result<Form> {
        let mark = format!("data-action=\"{action}\"");
        let button = self.body.find(&mark).with_context(|| format!("no button {action}: {}", self.told()))?;
        let (before, after) = self.body.split_at(button);
        let start = before.rfind("<form").context("a button outside any form")?;
        let form =
            before.get(start..).unwrap_or_default().to_owned() + after.split("</form>").next().unwrap_or_default();
        let head = form.split('>').next().unwrap_or_default();
        let address = attribute(head, "action").context("a form without an address")?;
        let inputs = form.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
        let tag = before.rfind('<').and_then(|start| self.body.get(start..)).unwrap_or_default();
        let tag = tag.split('>').next().unwrap_or_default();
        let pressed = attribute(tag, "name").map(|name| (name, attribute(tag, "value").unwrap_or_default()));
        let fields = inputs
            .filter(|input| input.contains("type=\"hidden\"") || input.contains("readonly"))
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default())))
            .chain(pressed)
            .collect();
        Ok(Form { action: address, fields })
    }

    /// The value of the field `name`, wherever it is on the page.
    pub fn field(&self, name: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\""))?;
        attribute(rest.split('>').next()?, "value")
    }

    /// The text of the element with the attribute `mark`.
    pub fn text_at(&self, mark: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(mark)?;
        let (_, text) = rest.split_once('>')?;
        text.split('<').next().map(|text| text.trim().to_owned())
    }

    /// The value of `name` in the query of the address that the browser was sent away to.
    pub fn sent(&self, name: &str) -> Result<String> {
        let url = self.leaves_to.as_deref().with_context(|| format!("not sent back: {}", self.told()))?;
        let url = url::Url::parse(url)?;
        let found = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        found.with_context(|| format!("no {name} in {url}"))
    }

    /// Fails unless the page has the button `action`.
    pub fn expect(&self, action: &str) -> Result<()> {
        ensure!(self.body.contains(&format!("data-action=\"{action}\"")), "expected {action}: {}", self.told());
        Ok(())
    }

    /// The answer in one line, for an error.
    pub fn told(&self) -> String {
        let text: String = self.body.split_whitespace().collect::<Vec<_>>().join(" ");
        let main = text.split_once("<main").map_or(text.as_str(), |(_, main)| main);
        format!("status {} {:?} {}", self.status, self.leaves_to, main.chars().take(700).collect::<String>())
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
}
