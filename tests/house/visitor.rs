//! A browser without scripts: cookies, forms, redirects within the service.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use scraper::{Html, Selector};

/// Somebody at a browser.
#[derive(Clone)]
pub struct Visitor {
    client: reqwest::Client,
    home: String,
    pub cookies: BTreeMap<String, String>,
    pub language: Option<&'static str>,
}

/// What the visitor sees.
#[derive(Debug, Clone)]
pub struct Seen {
    pub url: String,
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
    /// Where a redirect leads that leaves the service.
    pub leaves_to: Option<String>,
}

impl Seen {
    pub fn find(&self, selector: &str) -> Option<String> {
        let page = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).unwrap();
        page.select(&selector).next().map(|found| found.text().collect::<String>().trim().to_owned())
    }

    pub fn title(&self) -> String {
        self.find("h1").unwrap_or_default()
    }

    pub fn complaint(&self) -> String {
        self.find("#complaint").unwrap_or_default()
    }

    pub fn has_action(&self, action: &str) -> bool {
        self.find(&format!("[data-action={action}]")).is_some()
    }

    /// The value of the first control that fits.
    pub fn find_value(&self, selector: &str) -> Option<String> {
        let page = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).unwrap();
        page.select(&selector).next().and_then(|control| control.attr("value")).map(str::to_owned)
    }

    /// Where the first link that fits leads.
    pub fn find_link(&self, selector: &str) -> Option<String> {
        let page = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).unwrap();
        page.select(&selector).next().and_then(|link| link.attr("href")).map(str::to_owned)
    }

    /// Where the link leads that carries `action`.
    pub fn link(&self, action: &str) -> String {
        let page = Html::parse_document(&self.body);
        let link = Selector::parse(&format!("a[data-action={action}]")).unwrap();
        let link = page.select(&link).next().and_then(|link| link.attr("href"));
        link.unwrap_or_else(|| panic!("no link {action} on \"{}\":\n{}", self.title(), self.body)).to_owned()
    }

    /// The form with the button that carries `action`: address and hidden fields, the button's own among them.
    pub fn form(&self, action: &str) -> (String, Vec<(String, String)>) {
        let page = Html::parse_document(&self.body);
        let button = Selector::parse(&format!("[data-action={action}]")).unwrap();
        let button = page.select(&button).next();
        let button = button.unwrap_or_else(|| panic!("no button {action} on \"{}\":\n{}", self.title(), self.body));
        let form = button.ancestors().filter_map(scraper::ElementRef::wrap).find(|e| e.value().name() == "form");
        let form = form.expect("a form around the button");
        let hidden = Selector::parse("input[type=hidden], input[readonly]").unwrap();
        let mut fields: Vec<(String, String)> = form
            .select(&hidden)
            .map(|input| (input.attr("name").unwrap().to_owned(), input.attr("value").unwrap_or_default().to_owned()))
            .collect();
        if let Some(name) = button.attr("name") {
            fields.push((name.to_owned(), button.attr("value").unwrap_or_default().to_owned()));
        }
        (form.attr("action").unwrap().to_owned(), fields)
    }
}

impl Visitor {
    pub fn new(home: &str) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, home: home.to_owned(), cookies: BTreeMap::new(), language: None }
    }

    pub async fn get(&mut self, url: &str) -> Seen {
        self.go(reqwest::Method::GET, url, None).await
    }

    pub async fn post(&mut self, url: &str, fields: &[(String, String)]) -> Seen {
        self.go(reqwest::Method::POST, url, Some(fields.to_vec())).await
    }

    /// A form that a page of another site posts: the browser leaves its `SameSite=Lax` cookies at home, and takes
    /// them along to wherever the answer redirects to.
    pub async fn post_from_elsewhere(&mut self, url: &str, fields: &[(String, String)]) -> Seen {
        let kept = std::mem::take(&mut self.cookies);
        let seen = self.once(reqwest::Method::POST, url, Some(fields.to_vec())).await;
        let fresh = std::mem::replace(&mut self.cookies, kept);
        self.cookies.extend(fresh);
        self.follow(seen).await
    }

    /// A form that brings a file, as a browser writes it.
    pub async fn upload(&mut self, url: &str, kind: &str, body: impl Into<Vec<u8>>) -> Seen {
        let url = self.absolute(url);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.client.post(&url).header(COOKIE, cookies.join("; ")).header("content-type", kind);
        let answer = request.body(body.into()).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let seen = Seen { url, status, headers, body: answer.text().await.unwrap(), leaves_to: None };
        self.follow(seen).await
    }

    /// Fills in `fields` and presses the button that carries `action`.
    pub async fn press(&mut self, seen: &Seen, action: &str, fields: &[(&str, &str)]) -> Seen {
        let (address, mut all) = seen.form(action);
        if seen.find(&format!("form[method=get] [data-action={action}]")).is_some() {
            return self.get(&address).await;
        }
        all.retain(|(name, _)| fields.iter().all(|(other, _)| other != name));
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.post(&address, &all).await
    }

    async fn go(&mut self, method: reqwest::Method, url: &str, fields: Option<Vec<(String, String)>>) -> Seen {
        let seen = self.once(method, url, fields).await;
        self.follow(seen).await
    }

    async fn follow(&mut self, mut seen: Seen) -> Seen {
        for _ in 0..10 {
            let Some(location) = seen.headers.get(LOCATION).map(|value| value.to_str().unwrap().to_owned()) else {
                break;
            };
            let location = self.absolute(&location);
            if !location.starts_with(&self.home) {
                seen.leaves_to = Some(location);
                break;
            }
            seen = self.once(reqwest::Method::GET, &location, None).await;
        }
        seen
    }

    /// One request, without following redirects.
    pub async fn once(&mut self, method: reqwest::Method, url: &str, fields: Option<Vec<(String, String)>>) -> Seen {
        self.tried(method, url, fields).await.unwrap()
    }

    /// A form that may get no answer, without following redirects.
    pub async fn try_post(&mut self, url: &str, fields: &[(String, String)]) -> reqwest::Result<Seen> {
        self.tried(reqwest::Method::POST, url, Some(fields.to_vec())).await
    }

    /// A page that may not come, without following redirects.
    pub async fn try_get(&mut self, url: &str) -> reqwest::Result<Seen> {
        self.tried(reqwest::Method::GET, url, None).await
    }

    async fn tried(
        &mut self,
        method: reqwest::Method,
        url: &str,
        fields: Option<Vec<(String, String)>>,
    ) -> reqwest::Result<Seen> {
        let url = self.absolute(url);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, &url).header(COOKIE, cookies.join("; "));
        if let Some(language) = self.language {
            request = request.header("accept-language", language);
        }
        if let Some(fields) = fields {
            request = request.form(&fields);
        }
        let answer = request.send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (name, rest) = text.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Seen { url, status, headers, body: answer.text().await?, leaves_to: None })
    }

    fn absolute(&self, url: &str) -> String {
        if url.starts_with('/') { format!("{}{url}", self.home) } else { url.to_owned() }
    }
}
