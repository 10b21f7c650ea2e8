// Makes one request for each line of standard input: {"env": {...}, "url": "..."}. Which client: the first argument.
import { createRequire } from "node:module";
import http from "node:http";
import https from "node:https";
import readline from "node:readline";

const require = createRequire(process.argv[3] + "/");

const clients = {
  undici: async () => {
    const { EnvHttpProxyAgent, request } = require("undici");
    return async (url) => {
      const dispatcher = new EnvHttpProxyAgent();
      try {
        const answer = await request(url, { dispatcher, headersTimeout: 5000 });
        await answer.body.text();
      } finally {
        await dispatcher.destroy();
      }
    };
  },
  // A library that only chooses: the request is made here, through the proxy that it names.
  "proxy-from-env": async () => {
    const { getProxyForUrl } = await import("file://" + require.resolve("proxy-from-env"));
    return (url) =>
      new Promise((done, fail) => {
        const proxy = getProxyForUrl(url);
        const through = proxy ? new URL(proxy.replace(/^https:/, "http:")) : null;
        const make = through || url.startsWith("http:") ? http : https;
        const options = through
          ? { host: through.hostname, port: through.port, path: url, timeout: 5000 }
          : { ...target(url), timeout: 5000, rejectUnauthorized: false };
        make.get(options, (answer) => answer.resume().on("end", done)).on("error", fail);
      });
  },
  axios: async () => {
    const axios = require("axios");
    return (url) => axios.get(url, { timeout: 5000 });
  },
};

function target(text) {
  const url = new URL(text);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port || undefined, path: "/" };
}

const name = process.argv[2];
const get = await clients[name]();
const { readFileSync } = await import("node:fs");
console.log(JSON.parse(readFileSync(process.argv[3] + "/node_modules/" + name + "/package.json")).version);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const row = JSON.parse(line);
  for (const variable of Object.keys(process.env)) {
    if (/_proxy$/i.test(variable) || variable === "REQUEST_METHOD") delete process.env[variable];
  }
  Object.assign(process.env, row.env);
  try {
    await get(row.url);
    console.log("ok");
  } catch (error) {
    console.log(String(error.code ?? error.name));
  }
}
