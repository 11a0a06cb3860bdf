// Parts of a page marked data-live are fetched again when the server says that something changed,
// or every half minute where no socket comes about. Without this file the page stands still.
"use strict";
(() => {
  // Only an ASGI server has sockets.
  const sockets = "sockets" in (document.currentScript?.dataset ?? {});
  if (!document.querySelector("[data-live]")) return;
  let open = false, lost = false, waiting = null, wait = 1000;
  const busy = (part) => part.contains(document.activeElement) || part.querySelector("details[open]");
  const refresh = async () => {
    waiting = null;
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const now = page.getElementById(part.id);
      if (now && now.innerHTML !== part.innerHTML && !busy(part)) {
        part.replaceChildren(...document.importNode(now, true).childNodes);
        globalThis.htmx?.process(part);
      }
    }
  };
  // Not all at once: thousands may hear of the same act. The hint says over how long they spread.
  // Not at once: a web server may keep a page until its second has ended.
  const soon = (over = 1500) => { waiting ??= setTimeout(refresh, 1000 + Math.random() * over); };
  const query = new URLSearchParams();
  const number = document.querySelector("[data-live-case]")?.dataset.liveCase;
  if (number) query.set("case", number);
  if (document.getElementById("unread")) query.set("messages", "1");
  for (const more of ["work", "queue"]) {
    if (document.querySelector(`[data-live-${more}]`)) query.set(more, "1");
  }
  const connect = () => {
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live/?${query}`);
    socket.onopen = () => {
      open = true;
      wait = 1000;
      if (lost) soon(10000); // what was said meanwhile was not heard
    };
    socket.onmessage = (said) => soon(Number(String(said.data).split(" ")[1]) || undefined);
    socket.onclose = () => {
      open = false;
      lost = true;
      setTimeout(connect, wait + Math.random() * 1000);
      wait = Math.min(wait * 2, 60000);
    };
  };
  if (sockets && query.size) connect();
  setInterval(() => { if (!open) soon(); }, 30000);
  // What other processes do without a common layer comes by this.
  setInterval(soon, 120000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
})();
