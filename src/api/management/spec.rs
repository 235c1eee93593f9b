//! The list of routes and the OpenAPI 3.1 description that is made of it.

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Responder};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::problem::Document;
use crate::http::guard::{Needs, Table};

/// JSON objects, one on each line.
pub const LINES: &str = "application/x-ndjson";

type Make = fn(&mut SchemaGenerator) -> Schema;

/// What is said of one route.
#[derive(Debug)]
pub struct Operation {
    method: Method,
    path: String,
    summary: &'static str,
    needs: Needs,
    query: Option<Make>,
    body: Option<Make>,
    text: Option<&'static str>,
    answer: (u16, Option<Make>),
    otherwise: Option<(u16, Make)>,
    files: &'static [&'static str],
    versioned: bool,
    lines: bool,
}

impl Operation {
    /// It takes this query.
    pub fn query<T: JsonSchema>(&mut self) -> &mut Self {
        self.query = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// It takes this body.
    pub fn takes<T: JsonSchema>(&mut self) -> &mut Self {
        self.body = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// It takes a text of this kind.
    pub const fn takes_text(&mut self, kind: &'static str) -> &mut Self {
        self.text = Some(kind);
        self
    }

    /// It answers with this.
    pub fn gives<T: JsonSchema>(&mut self, status: u16) -> &mut Self {
        self.answer = (status, Some(|generator| generator.subschema_for::<T>()));
        self
    }

    /// It answers with any number of these, one on each line.
    pub fn gives_lines<T: JsonSchema>(&mut self) -> &mut Self {
        self.lines = true;
        self.gives::<T>(200)
    }

    /// Instead of that it may answer with this.
    pub fn or_gives<T: JsonSchema>(&mut self, status: u16) -> &mut Self {
        self.otherwise = Some((status, |generator| generator.subschema_for::<T>()));
        self
    }

    /// It answers with a file of one of these kinds.
    pub const fn gives_file(&mut self, kinds: &'static [&'static str]) -> &mut Self {
        self.files = kinds;
        self
    }

    /// It answers with this status and nothing else.
    pub fn gives_nothing(&mut self) -> &mut Self {
        self.answer = (204, None);
        self
    }

    /// Reading gives an `ETag`; changing takes it as `If-Match`.
    pub fn versioned(&mut self) -> &mut Self {
        self.versioned = true;
        self
    }
}

/// Routes with their description.
#[derive(Debug, Default)]
pub struct Api {
    table: Table,
    operations: Vec<Operation>,
}

impl Api {
    /// Adds a route that reads.
    pub fn get<F, Args>(&mut self, path: &str, needs: impl Into<Needs>, summary: &'static str, f: F) -> &mut Operation
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.route(Method::GET, path, needs, summary, f)
    }

    /// Adds a route of another method.
    pub fn route<F, Args>(
        &mut self,
        method: Method,
        path: &str,
        needs: impl Into<Needs>,
        summary: &'static str,
        handler: F,
    ) -> &mut Operation
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let needs = needs.into();
        self.table.route(&method, path, needs, handler);
        self.operations.push(Operation {
            method,
            path: path.to_owned(),
            summary,
            needs,
            query: None,
            body: None,
            text: None,
            answer: (200, None),
            otherwise: None,
            files: &[],
            versioned: false,
            lines: false,
        });
        self.operations.last_mut().unwrap_or_else(|| unreachable!("it was added just now"))
    }

    /// The routes alone.
    #[must_use]
    pub fn into_table(self) -> Table {
        self.table
    }
}

/// The OpenAPI 3.1 description, for the API at `base`.
#[must_use]
pub fn document(base: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Document>();
    let mut paths = Map::new();
    for operation in super::api().operations {
        let path = format!("/{}", operation.path);
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        let described = described(&operation, &mut generator, &problem);
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(operation.method.as_str().to_lowercase(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vestibule management API",
            "version": "1",
            "description": "What operators do at the console, for programs. Times are RFC 3339 in UTC. Lists are read page by \
                page with `after`. Whoever changes configuration sends the ETag of what was read as If-Match.",
        },
        "servers": [{ "url": base }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer",
                "description": "A key that an operator made at the console under API keys; it has a role." } },
        },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let mut parameters: Vec<Value> = parameters_of(&operation.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if let Some(query) = operation.query {
        parameters.extend(query_parameters(query(generator), generator));
    }
    let changes = operation.method != Method::GET;
    if operation.versioned && changes {
        parameters.push(json!({ "name": "If-Match", "in": "header", "required": true, "schema": { "type": "string" },
            "description": "The ETag of what was read." }));
    }
    let (status, answer) = operation.answer;
    let mut answer = match answer {
        // OpenAPI 3.1 has no words for a row of documents; what one of them is, the schema of the text tells.
        Some(make) if operation.lines => {
            let line = make(generator);
            let schema = json!({ "type": "string", "contentMediaType": LINES, "contentSchema": line });
            json!({ "description": "One JSON object on each line", "content": { LINES: { "schema": schema } } })
        }
        Some(make) => {
            json!({ "description": "Done", "content": { "application/json": { "schema": make(generator) } } })
        }
        None if !operation.files.is_empty() => {
            let kinds: Map<String, Value> =
                operation.files.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": {} }))).collect();
            json!({ "description": "The file", "content": kinds })
        }
        None => json!({ "description": "Done" }),
    };
    if operation.versioned
        && !changes
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert("headers".to_owned(), json!({ "ETag": { "schema": { "type": "string" } } }));
    }
    let refused = json!({ "description": "Refused", "content": { "application/problem+json": { "schema": problem } } });
    let mut described = json!({
        "summary": operation.summary,
        "operationId": operation_id(operation),
        "tags": [operation.path.split('/').next().unwrap_or_default()],
        "parameters": parameters,
        "responses": { status.to_string(): answer, "default": refused },
    });
    if let Some((status, make)) = operation.otherwise {
        let content = json!({ "application/json": { "schema": make(generator) } });
        let answer = json!({ "description": "Not yet", "content": content });
        if let Some(responses) = described.get_mut("responses").and_then(Value::as_object_mut) {
            responses.insert(status.to_string(), answer);
        }
    }
    if let Some(described) = described.as_object_mut() {
        if let Needs::May(permission) = operation.needs {
            let needs = json!({ "module": permission.module, "deed": permission.deed });
            described.insert("x-permission".to_owned(), needs);
        }
        if operation.needs == Needs::Nothing {
            described.insert("security".to_owned(), json!([]));
        }
        if let Some(kind) = operation.text {
            let body = json!({ "required": true, "content": { kind: { "schema": { "type": "string" } } } });
            described.insert("requestBody".to_owned(), body);
        }
        if let Some(body) = operation.body {
            let body = json!({ "required": true, "content": { "application/json": { "schema": body(generator) } } });
            described.insert("requestBody".to_owned(), body);
        }
    }
    described
}

fn operation_id(operation: &Operation) -> String {
    let path = operation.path.replace(['/', '-', '.'], "_").replace(['{', '}'], "");
    format!("{}_{path}", operation.method.as_str().to_lowercase())
}

/// The names between braces.
fn parameters_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|step| step.strip_prefix('{').and_then(|step| step.strip_suffix('}')))
}

/// The members of a type of queries, one parameter each.
fn query_parameters(schema: Schema, generator: &SchemaGenerator) -> Vec<Value> {
    let value = schema.to_value();
    let name = value.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()).map(str::to_owned);
    let whole = name.and_then(|name| generator.definitions().get(&name).cloned()).unwrap_or(value);
    let required = whole.get("required").and_then(Value::as_array).into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    let properties = whole.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties
        .map(|(name, schema)| {
            json!({ "name": name, "in": "query", "required": required.contains(&name.as_str()), "schema": schema,
                "description": schema.get("description") })
        })
        .collect()
}
