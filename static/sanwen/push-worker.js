// Shows what was pushed; a press opens the messages.
"use strict";
self.addEventListener("push", (event) => {
  const data = event.data ? event.data.json() : {};
  const shown = { body: data.body, tag: data.tag, data: { url: data.url } };
  event.waitUntil(self.registration.showNotification(data.title || "三问", shown));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data || {};
  event.waitUntil(self.clients.openWindow(url && url.startsWith("/") ? url : "/news/"));
});
