// Progressive enhancement only: every page works without this file.
// It replaces grids, lists and the page in place (htmx fetches, parses and swaps), asks before dangerous deeds,
// follows the log, and looks after focus. It writes text and attributes, never HTML, so Trusted Types stay strict:
// the only policy in the page is the one that htmx's hx-csp extension makes. No hx-* attribute is used anywhere,
// so every one that appears is foreign, and hx-csp strips it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const word = (name) => $("#words")?.dataset[name] ?? name;
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const announce = (text) => {
    const live = $("#live");
    if (!live || !text) return;
    live.textContent = "";
    setTimeout(() => { live.textContent = text.trim(); }, 60);
  };
  const toast = (tone, text) => {
    const place = $(".toasts") ?? document.body.appendChild(element("div", { class: "toasts" }));
    const dismiss = element("button", { class: "dismiss", type: "button", "data-dismiss": "", "aria-label": word("dismiss") }, "×");
    place.append(element("div", { class: `message tone-${tone}`, role: "alert", "data-message": "" }, element("p", {}, text), dismiss));
  };

  // ---- progress -------------------------------------------------------------------------------------------------
  const bar = document.body.appendChild(element("div", { class: "progress", "aria-hidden": "true" }));
  let running = 0;
  const begin = () => { running += 1; bar.classList.add("is-on"); };
  const end = () => { running = Math.max(0, running - 1); if (!running) bar.classList.remove("is-on"); };

  // ---- replacing in place ---------------------------------------------------------------------------------------
  // A response that does not hold the part we asked for (signed out meanwhile, another layout) is opened as a page.
  const holds = (text, id) => text.includes(`id="${id}"`);

  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const wanted = ctx.select?.startsWith("#") ? ctx.select.slice(1) : null;
    if (!wanted) return;
    const url = ctx.response.raw.url;
    const html = (ctx.response.headers.get("Content-Type") ?? "").startsWith("text/html");
    if (html && ctx.response.status >= 400) { ctx.push = "false"; ctx.replace = "false"; }
    if (html && holds(ctx.text, wanted)) return;
    event.preventDefault();
    if (ctx.request.method === "GET" || ctx.response.raw.redirected) location.assign(url);
    else toast("danger", word("offline"));
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.error?.name !== "AbortError") toast("danger", word("offline"));
  });

  const region = (from) => from.closest("[data-region]");
  // The numbers of the overlay of reasons belong to the whole page: with it, lists are opened as pages.
  const numbered = () => $("#xray") !== null;
  let current = null; // the newest request of each kind wins
  const replaceRegion = async (place, url, history) => {
    const id = place.id;
    const mark = (current = {});
    place.setAttribute("aria-busy", "true");
    begin();
    try {
      await htmx.ajax("GET", url, { source: place, target: `#${CSS.escape(id)}`, select: `#${CSS.escape(id)}`, swap: "outerMorph", [history]: "true" });
    } finally {
      end();
      const now = document.getElementById(id);
      if (now && mark === current) { now.removeAttribute("aria-busy"); settle(now); announce($("[data-announce], .blank-title", now)?.textContent); stay(now, history); }
    }
  };
  // Whoever asked is not left nowhere: neither focus nor the top of what was replaced gets lost.
  const stay = (place, history) => {
    if (document.activeElement === document.body) { place.tabIndex = -1; place.focus({ preventScroll: true }); }
    if (history === "push" && place.getBoundingClientRect().top < 0) place.scrollIntoView();
  };
  // Morphing keeps what a person changed by hand; fields that nobody is in take what the server says.
  const settle = (within) => {
    for (const field of all("input, select", within)) {
      if (field === document.activeElement) continue;
      if (field instanceof HTMLSelectElement) for (const option of field.options) option.selected = option.defaultSelected;
      else if (field.type === "search" || field.type === "date" || field.type === "text") field.value = field.defaultValue;
    }
  };
  const toolsUrl = (form) => {
    const url = new URL(form.action, location.href);
    url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== "")).toString();
    return url.pathname + url.search;
  };

  const openTabs = () => all(".tab-radio:checked").map((radio) => radio.id);
  const replacePage = async (form, submitter) => {
    if (form.dataset.busy) return;
    form.dataset.busy = "true";
    submitter?.setAttribute("aria-busy", "true");
    const before = location.pathname + location.search;
    const tabs = openTabs();
    begin();
    try {
      await htmx.ajax("POST", form.getAttribute("action"), { source: form, event: { submitter }, target: "#shell", select: "#shell", swap: "outerHTML", push: "true" });
    } finally {
      end();
      delete form.dataset.busy;
      submitter?.removeAttribute("aria-busy");
      if (!form.isConnected) arrive(before, tabs);
    }
  };
  const arrive = (before, tabs) => {
    const invalid = all('[aria-invalid="true"], [data-first-error]');
    if (!invalid.length) for (const id of tabs) { const radio = document.getElementById(id); if (radio) radio.checked = true; }
    announce(all(".message p, .alert[role=alert] p").map((p) => p.textContent).join(" "));
    if (invalid.length) return focusError(invalid);
    if (before !== location.pathname + location.search) { scrollTo(0, 0); $("#main")?.focus({ preventScroll: true }); }
    else if ($(".message")) scrollTo(0, 0);
    start();
  };
  const uncover = (field) => {
    for (let panel = field.closest(".tab-panel"); panel; panel = panel.parentElement.closest(".tab-panel")) {
      const radio = all(":scope > .tab-radio", panel.closest(".tabs"))[[...panel.parentElement.children].indexOf(panel)];
      if (radio) radio.checked = true;
    }
  };
  document.addEventListener("invalid", (event) => uncover(event.target), true);
  const focusError = (invalid) => {
    const first = invalid[0];
    uncover(first);
    first.focus();
    first.scrollIntoView({ block: "center" });
    start();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-in-place]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const place = region(link);
    if (!place?.id || numbered()) return;
    event.preventDefault();
    replaceRegion(place, link.getAttribute("href"), "push");
  });
  let typing = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-grid-tools]");
    if (!form || numbered() || !event.target.matches("[data-live-search]")) return;
    clearTimeout(typing);
    typing = setTimeout(() => form.isConnected && replaceRegion(region(form), toolsUrl(form), "replace"), 280);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-grid-tools]");
    if (!form || !event.target.matches("[data-live-filter]")) return;
    if (numbered()) location.assign(toolsUrl(form)); else replaceRegion(region(form), toolsUrl(form), "push");
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.matches("[data-grid-tools]")) { event.preventDefault(); clearTimeout(typing); if (numbered()) location.assign(toolsUrl(form)); else replaceRegion(region(form), toolsUrl(form), "push"); }
    else if (form.matches("[data-theme-form]")) { event.preventDefault(); setTheme(form, event.submitter); }
    else if (form.matches("[data-live]")) { event.preventDefault(); replacePage(form, event.submitter); }
  });

  // ---- asking first ---------------------------------------------------------------------------------------------
  // Tells the server that the question was answered here; without script it asks on a page of its own.
  const ask = (question, caption, danger) => new Promise((resolve) => {
    const yes = element("button", { class: danger ? "btn btn-danger-fill" : "btn btn-primary", value: "yes" }, caption);
    const no = element("button", { class: "btn btn-secondary", value: "no", autofocus: "" }, word("cancel"));
    const title = element("h2", { id: "ask-title" }, word("confirm"));
    const form = element("form", { method: "dialog" }, element("div", { class: "ask-body" }, title, element("p", { id: "ask-text" }, question)), element("div", { class: "ask-foot" }, no, yes));
    const dialog = document.body.appendChild(element("dialog", { class: "ask", "aria-labelledby": "ask-title", "aria-describedby": "ask-text" }, form));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    dialog.showModal();
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-confirm]");
    if (!button?.form || button.dataset.asked) return;
    event.preventDefault();
    if (!button.form.noValidate && !button.formNoValidate && !button.form.reportValidity()) return;
    const yes = await ask(button.dataset.confirm, button.textContent.trim(), button.matches(".btn-danger"));
    if (!yes) return button.focus();
    const answer = element("input", { type: "hidden", name: "_confirmed", value: "yes" });
    button.form.append(answer);
    button.dataset.asked = "true";
    button.form.requestSubmit(button);
    delete button.dataset.asked;
    setTimeout(() => answer.remove());
  });

  // ---- reasons --------------------------------------------------------------------------------------------------
  // A number opens its reason; without script the entries of what is withheld stand open, the others open by hand.
  const unfold = () => { const entry = location.hash.startsWith("#xray-") && $(location.hash); if (entry) { $("details", entry).open = true; entry.focus({ preventScroll: true }); entry.scrollIntoView({ block: "nearest" }); } };
  addEventListener("hashchange", unfold);
  document.addEventListener("click", (event) => { if (event.target.closest("a.xray-badge")) setTimeout(unfold); });

  // ---- small things ---------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest("[data-message]")?.remove();
    for (const popup of all("details[data-popup][open], .plainbar .nav-group[open]")) if (!popup.contains(event.target)) popup.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const popup = $("details[data-popup][open]");
      if (popup) { popup.open = false; $("summary", popup).focus(); } else if ($("#menu[data-open]")) toggleMenu(false);
    }
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select, [contenteditable]")) {
      const search = $("[data-live-search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
  });

  const setTheme = async (form, submitter) => {
    const theme = submitter?.value ?? "auto";
    root.dataset.theme = theme;
    for (const button of all("[data-theme-form] button")) button.setAttribute("aria-pressed", String(button.value === theme));
    const body = new URLSearchParams(new FormData(form, submitter));
    try { await fetch(form.action, { method: "POST", body, credentials: "same-origin", redirect: "manual" }); } catch { toast("danger", word("offline")); }
  };

  const toggleMenu = (open) => {
    const menu = $("#menu");
    const toggle = $("[data-menu-toggle]");
    menu?.toggleAttribute("data-open", open);
    menu?.toggleAttribute("data-closed", !open);
    toggle?.setAttribute("aria-expanded", String(open));
    (open ? $("a, summary", $("nav", menu)) : toggle)?.focus();
  };
  document.addEventListener("click", (event) => {
    const menu = $("#menu");
    if (event.target.closest("[data-menu-toggle]")) { event.preventDefault(); toggleMenu(!menu.hasAttribute("data-open")); }
    else if (event.target.closest("[data-menu-close]")) { event.preventDefault(); toggleMenu(false); }
    else if (menu?.hasAttribute("data-open") && !menu.contains(event.target)) toggleMenu(false);
  });

  // ---- the log, live --------------------------------------------------------------------------------------------
  const LINES = 1000;
  const follow = (panel) => {
    const list = $("[data-log-lines]", panel);
    const scroll = $("[data-log-scroll]", panel);
    const filter = $("[data-log-filter]", panel);
    const state = $("[data-log-state]", panel);
    const button = $("[data-log-pause]", panel);
    let source = null;
    let paused = false;
    const waiting = [];
    const line = (entry) => {
      const item = element("li", { "data-level": entry.level },
        element("time", { datetime: entry.at }, entry.at.replace(/^.*T/, "").replace(/Z$/, "")),
        element("span", { class: "level" }, entry.level), element("span", { class: "node", title: entry.node }, entry.node),
        element("span", { class: "what" }, entry.text));
      if (entry.request_id) item.lastChild.append(" ", element("span", { class: "ref" }, entry.request_id));
      return item;
    };
    const show = (entries) => {
      const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
      list.append(...entries.map(line));
      while (list.childElementCount > LINES) list.firstElementChild.remove();
      if (atEnd) scroll.scrollTop = scroll.scrollHeight;
    };
    const light = (on) => { state.dataset.on = String(on); state.textContent = on ? state.dataset.live : state.dataset.still; };
    const open = () => {
      source?.close();
      const query = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value !== ""));
      source = new EventSource(`${panel.dataset.stream}?${query}`);
      source.onopen = () => light(!paused);
      source.onerror = () => light(false);
      source.onmessage = (event) => {
        if (!panel.isConnected) return source.close();
        let entry;
        try { entry = JSON.parse(event.data); } catch { return; }
        if (!paused) show([entry]);
        else if (waiting.push(entry) > LINES) waiting.shift();
      };
    };
    // With another choice the list is filled anew from what the server still keeps.
    filter.addEventListener("change", () => { list.replaceChildren(); filter.elements.after.value = "0"; open(); });
    filter.addEventListener("submit", (event) => event.preventDefault());
    button.addEventListener("click", () => {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      $("span", button).textContent = word(paused ? "resume" : "pause");
      if (!paused) show(waiting.splice(0));
      light(!paused && source?.readyState === EventSource.OPEN);
    });
    scroll.scrollTop = scroll.scrollHeight;
    addEventListener("pagehide", () => source?.close(), { once: true });
    open();
  };

  const start = () => {
    for (const panel of all("[data-log]:not([data-following])")) { panel.dataset.following = "true"; follow(panel); }
    const menu = $("[data-menu-toggle]");
    if (menu) { menu.setAttribute("role", "button"); menu.setAttribute("aria-expanded", "false"); }
  };
  start();
})();
