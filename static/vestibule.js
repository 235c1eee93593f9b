// Comfort for pages that work without it: nothing here is needed to log in.
for (const select of document.querySelectorAll("select[data-submit]")) {
  const button = select.form.querySelector("button");
  if (button) button.hidden = true;
  // Whoever goes through the choices with arrow keys has not chosen yet: then the button is there to press (WCAG 3.2.2).
  let keyed = false;
  select.addEventListener("pointerdown", () => { keyed = false; });
  select.addEventListener("keydown", () => {
    keyed = true;
    if (button) button.hidden = false;
  });
  // The page may be the answer to a form, at an address that takes forms only: its own form knows where the page is. What
  // else stands in the address stays, such as the request of an application.
  const go = () => {
    const address = new URL(select.form.action);
    if (address.pathname === location.pathname) address.search = location.search;
    address.searchParams.set(select.name, select.value);
    location.assign(address);
  };
  select.addEventListener("change", () => { if (!keyed || !button) go(); });
  select.form.addEventListener("submit", (event) => { event.preventDefault(); go(); });
}
// The answer to a form becomes a page of its own where it says where that is, as its form of languages does: whoever loads it again
// asks for it anew and does not send once more what was typed, which would count as another wrong password or make another key.
const place = document.querySelector("[data-page]")?.dataset.page ?? document.querySelector("form.languages")?.action;
if (place) {
  const page = new URL(place, location.href);
  history.replaceState(history.state, "", page.pathname === location.pathname ? location.href : page);
}
for (const button of document.querySelectorAll("[data-reveal]")) {
  const field = document.getElementById(button.dataset.reveal);
  button.hidden = false;
  button.setAttribute("aria-controls", field.id);
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.textContent = shown ? button.dataset.show : button.dataset.hide;
    field.focus();
  });
  field.form.addEventListener("submit", () => { field.type = "password"; });
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = button.dataset.copied;
  });
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
// One click, one request: a second click would only find the step already done.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
// Loads the page of a login again, from its desk: where the page is the answer to a form there is nothing to load.
const again = (desk) => location.replace(new URL(desk, location.href));
// The page that waits for a device moves on by itself.
const waiting = document.querySelector("[data-events]");
if (waiting) {
  const events = new EventSource(waiting.dataset.events);
  events.addEventListener("changed", () => { events.close(); again(waiting.dataset.desk); });
}
// An activation link that was opened in a browser: the app may be there under its own scheme. The activation does
// not stay in the history.
const handOver = document.querySelector("[data-hand-over]");
if (handOver && location.hash.length > 1) {
  handOver.href = `${handOver.dataset.handOver}:${location.href}`;
  handOver.parentElement.hidden = false;
  history.replaceState(null, "", location.pathname);
}
// The code of a link from a mail stands behind the "#": it is filled in here, and does not stay in the history once it is
// sent. Without scripts it is copied from the mail.
const code = document.querySelector("[data-from-fragment]");
if (code && location.hash.length > 1) {
  code.querySelector("input").value = location.hash.slice(1);
  code.hidden = true;
  code.closest("form").addEventListener("submit", () => history.replaceState(null, "", location.pathname));
}
// A minute before the page is too old, the person may ask for more time.
const expiry = document.querySelector("[data-expires]");
if (expiry) {
  const seconds = Number(expiry.dataset.expires);
  setTimeout(() => { expiry.hidden = false; expiry.querySelector("button").focus(); }, Math.max(0, seconds - 60) * 1000);
  setTimeout(() => again(expiry.dataset.desk), (seconds + 1) * 1000);
}
