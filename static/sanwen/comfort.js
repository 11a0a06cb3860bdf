// Comforts only: every page works without this file.
"use strict";
// A list of errors takes the focus, so that it is read out at once.
document.querySelector("[data-focus]")?.focus();
// A second press of the same button within five seconds is not sent again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 5000);
});
// Coming back by the browser's own button: the form may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// Reads a text out, where the browser has a voice for the page's language; a second press stops it.
const speech = window.speechSynthesis;
const language = document.documentElement.lang;
const readers = document.querySelectorAll("[data-read]");
function offerReading() {
  const voices = speech.getVoices().map((voice) => voice.lang.slice(0, 2));
  for (const button of readers) button.hidden = !voices.includes(language.slice(0, 2));
}
if (speech && readers.length) {
  offerReading();
  speech.addEventListener?.("voiceschanged", offerReading);
  window.addEventListener("pagehide", () => speech.cancel());
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-read]");
  if (!button) return;
  const reading = button.getAttribute("aria-pressed") === "true";
  speech.cancel();
  button.setAttribute("aria-pressed", String(!reading));
  if (reading) return;
  const said = new SpeechSynthesisUtterance(document.getElementById(button.dataset.read).innerText);
  said.lang = language;
  said.onend = said.onerror = () => button.setAttribute("aria-pressed", "false");
  speech.speak(said);
});
