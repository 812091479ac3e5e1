// Refreshes live pages after changes, and copies commands. Without it, pages read and answer as well.
"use strict";

{
  const page = () => document.getElementById("page");
  const pause = document.getElementById("pause");
  const away = document.getElementById("away");
  let source = null;
  let isPaused = false;

  // What a person is doing is not replaced under their hands.
  const isBusy = () => {
    const focused = document.activeElement;
    const types = focused && focused.matches("input, textarea, select") && page().contains(focused);
    return types || !document.getSelection().isCollapsed;
  };

  let isStale = false;
  const refresh = () => {
    isStale = isBusy();
    if (!isStale) htmx.trigger(page(), "durable:tick");
  };

  const follow = () => {
    if (source || isPaused || document.hidden) return;
    source = new EventSource(document.body.dataset.ticks);
    source.addEventListener("tick", () => {
      away.hidden = true;
      refresh();
    });
    source.addEventListener("away", () => {
      away.hidden = false;
    });
  };

  const leave = () => {
    if (source) source.close();
    source = null;
  };

  if (pause && page().hasAttribute("data-live")) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      pause.setAttribute("aria-pressed", String(isPaused));
      pause.textContent = isPaused ? "Resume updates" : "Pause updates";
      if (isPaused) return leave();
      refresh();
      follow();
    });
    // A page that was not seen for a while has missed what happened.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return leave();
      if (!isPaused) refresh();
      follow();
    });
    document.addEventListener("focusout", () => setTimeout(() => isStale && refresh(), 0));
    follow();
  }

  const offerCopies = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button.copy[hidden]")) button.hidden = false;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  document.addEventListener("htmx:after:swap", offerCopies);
  offerCopies();
}
