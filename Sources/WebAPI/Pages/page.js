"use strict";

// What all pages share; each page's own script follows.

// fetch with the token that the reader gave, if any. Where the answer is that it takes one, it is asked for, and `token`
// is dispatched when it is there. It is kept for this tab only.
async function request(path, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401 || answer.status === 403) askForToken();
  return answer;
}

function askForToken() {
  if (document.getElementById("token")) return;
  const form = document.createElement("form");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const button = document.createElement("button");
  form.id = "token";
  Object.assign(input, { type: "password", required: true, pattern: "[!-~]+", title: "A token", autocomplete: "off" });
  label.append("Token ", input);
  button.append("Use it");
  form.append(label, button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", input.value);
    form.remove();
    dispatchEvent(new Event("token"));
  });
  document.querySelector("header").after(form);
}

// The server-sent events of an answer: {name, data, id}. EventSource sends no token, and does not say why it is refused.
async function* eventsOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      const all = (name) => lines.filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).replace(/^ /, ""));
      text = text.slice(end + 2);
      const data = all("data");
      if (data.length > 0) yield { name: all("event").at(-1) ?? "message", data: data.join("\n"), id: all("id").at(-1) };
    }
  }
}
