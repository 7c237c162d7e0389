/* The refund dialog: the amount follows what came back, until somebody types another one. All in
   whole units, as the server reckons them: what it books never differs from what was proposed. */
(() => {
  "use strict";

  const THOUSANDTHS = 3;

  /* "1.5" to 1500n, nothing typed to 0n; null for what the server has to read, or to refuse. */
  const wholeOf = (text, places) => {
    const [, whole, rest = ""] = /^(\d*)(?:\.(\d+))?$/.exec(text.trim()) ?? [];
    if (whole === undefined || rest.length > places) return null;
    return BigInt(whole + rest.padEnd(places, "0"));
  };
  const textOf = (units, places) => {
    const digits = String(units).padStart(places + 1, "0");
    const [whole, rest] = [digits.slice(0, digits.length - places), digits.slice(digits.length - places)];
    return /[1-9]/.test(rest) ? `${whole}.${rest}` : whole;
  };
  const halfUp = (amount, part, whole) => (2n * amount * part + whole) / (2n * whole);

  const worth = (input, picked) => {
    const [units, bought, back] = ["units", "bought", "back"].map((name) => BigInt(input.dataset[name]));
    return halfUp(units, back + picked, bought) - halfUp(units, back, bought);
  };

  document.addEventListener("input", ({ target }) => {
    const lines = target.closest("[data-returned]");
    const amount = target.form?.elements.amount;
    if (!lines || !amount) return;
    const [left, places] = [BigInt(lines.dataset.left), Number(lines.dataset.places)];
    const inputs = [...lines.querySelectorAll("input")];
    const picked = inputs.map((input) => (input.validity.badInput ? null : wholeOf(input.value, THOUSANDTHS)));
    if (picked.includes(null)) {
      amount.value = "";  // The server reckons what comes to an empty amount.
      return;
    }
    const sum = inputs.reduce((total, input, place) => total + worth(input, picked[place]), 0n);
    const isAny = picked.some((many) => many > 0n);
    amount.value = textOf(isAny && sum < left ? sum : left, places);
  });
})();
