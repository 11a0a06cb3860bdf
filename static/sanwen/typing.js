// Comforts of typing in paper: the page works without this file, with Tab, space and arrows.
"use strict";
(() => {
  const form = document.querySelector("[data-typing]");
  if (!form) return;
  const kinds = "input:not([type=hidden]):not([data-typed-last]), textarea, select";
  // One stop a question: of a group of radios the first.
  const stops = [...form.querySelectorAll(kinds)].filter(
    (one, at, all) => one.type !== "radio" || all.findIndex((other) => other.name === one.name) === at,
  );
  const button = form.querySelector(".actions button");
  const next = (from) => {
    const at = stops.findIndex((stop) => stop.name === from.name);
    const following = stops.slice(at + 1).find((stop) => stop.type !== "file");
    (following ?? button).focus();
  };
  if (!form.querySelector("[data-focus]")) stops.find((stop) => stop.type !== "file")?.focus();
  form.addEventListener("keydown", (event) => {
    const here = event.target;
    if (event.key === "Enter" && event.ctrlKey) {
      event.preventDefault();
      form.requestSubmit(button);
    } else if (here.type === "radio" && /^[0-9]$/.test(event.key)) {
      const group = [...form.elements[here.name]];
      if (event.key === "0") for (const one of group) one.checked = false;
      else if (group[event.key - 1]) group[event.key - 1].checked = true;
      else return;
      event.preventDefault();
      next(here);
    }
  });
})();
