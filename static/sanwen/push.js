// Notifications of this browser: asks for leave, subscribes, sends the form. Without this file the
// button stays hidden.
"use strict";
(() => {
  const box = document.querySelector("[data-push-key]");
  if (!box || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  box.hidden = false;
  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };
  box.querySelector("[data-push-on]").addEventListener("click", async () => {
    const said = box.querySelector("[data-push-said]");
    try {
      // First of all: some browsers ask only as the direct answer to a press.
      if ((await Notification.requestPermission()) !== "granted") throw new Error("denied");
      const worker = await navigator.serviceWorker.register(box.dataset.pushWorker);
      const made = await worker.pushManager.subscribe({
        userVisibleOnly: true,
        applicationServerKey: bytes(box.dataset.pushKey),
      });
      const form = box.querySelector("form");
      form.elements.subscription.value = JSON.stringify(made);
      form.submit();
    } catch {
      said.textContent = said.dataset.no;
    }
  });
})();
