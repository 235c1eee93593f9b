// Comfort for the console; every page works without it.
const menu = document.querySelector("[data-menu]");
const narrow = matchMedia("(max-width: 55rem)");
// On a narrow screen the menu is folded away; on a wide one it is always there.
const fold = () => { if (menu) menu.open = !narrow.matches; };
narrow.addEventListener("change", fold);
fold();
// What is wrong with a form is read first.
document.querySelector("[data-focus]")?.focus();
for (const box of document.querySelectorAll("[data-all]")) {
  box.hidden = false;
  box.addEventListener("change", () => {
    for (const one of document.querySelectorAll(`input[type=checkbox][name="${box.dataset.all}"]`)) one.checked = box.checked;
  });
}
// Fields that belong to one choice are shown with it.
for (const part of document.querySelectorAll("[data-with]")) {
  const [name, values] = part.dataset.with.split("=");
  const wanted = values.split(" ");
  const controls = [...document.querySelectorAll(`[name="${name}"]`)];
  const show = () => {
    const chosen = controls.find((control) => (control.type === "radio" || control.type === "checkbox" ? control.checked : true));
    part.hidden = !wanted.includes(chosen?.value ?? "");
  };
  for (const control of controls) control.addEventListener("change", show);
  show();
}
// What applies depends on other fields: the server says it, and the button is there without scripts.
for (const select of document.querySelectorAll("[data-look]")) {
  select.addEventListener("change", () => select.form.requestSubmit(select.form.querySelector("[name=look]")));
}
// Push cannot be on where a platform is not allowed.
for (const box of document.querySelectorAll("[data-needs]")) {
  const other = document.getElementById(box.dataset.needs);
  const follow = () => { box.disabled = other.disabled || !other.checked; if (!other.checked) box.checked = false; };
  other.addEventListener("change", follow);
  follow();
}
// Parts that change while one looks at them. Nothing is read out by itself, nothing moves under a finger or a focus, and it can
// be switched off (WCAG 2.2.2).
const live = document.querySelector("[data-live]");
const liveSwitch = document.querySelector("[data-live-switch]");
if (live) {
  if (liveSwitch) liveSwitch.hidden = false;
  // What is being counted is there soon.
  const soon = () => (live.querySelector("[data-counting]") ? 2000 : 30000);
  const look = async () => {
    const wanted = liveSwitch?.querySelector("input").checked ?? true;
    if (!wanted || document.hidden || live.contains(document.activeElement) || !getSelection().isCollapsed) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (fresh && fresh.innerHTML !== live.innerHTML) live.replaceChildren(...fresh.childNodes);
  };
  const again = () => setTimeout(() => look().finally(again), soon());
  again();
}
