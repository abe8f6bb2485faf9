// Microsoft's own KQL parser over queries: what it says against each, and the columns with their types that it returns.
// stdin: {"schema": {table: {column: type}}, "queries": {id: text}}; stdout: {id: {"errors": [text], "columns": [[name, type]]}}
// Needs npm @kusto/language-service-next where Node finds it (NODE_PATH).
const fs = require("fs");
const path = require("path");

const folder = path.dirname(require.resolve("@kusto/language-service-next/package.json"));
require(path.join(folder, "bridge.js"));
require(path.join(folder, "Kusto.Language.Bridge.js"));
const { KustoCode, GlobalState, Symbols } = globalThis.Kusto.Language;

function items(sequence) {
  const found = [];
  for (const each = globalThis.Bridge.getEnumerator(sequence); each.moveNext(); ) found.push(each.Current);
  return found;
}

function table(name, columns) {
  const described = Object.entries(columns).map(([column, type]) => `['${column}']: ${type}`);
  return new Symbols.TableSymbol.$ctor7(name, `(${described.join(", ")})`, null);
}

const asked = JSON.parse(fs.readFileSync(0, "utf8"));
const tables = Object.entries(asked.schema).map(([name, columns]) => table(name, columns));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("workspace", tables));
const told = {};
for (const [id, text] of Object.entries(asked.queries)) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const errors = items(code.GetDiagnostics()).filter((one) => one.Severity === "Error");
  const columns = code.ResultType && code.ResultType.Columns ? items(code.ResultType.Columns) : [];
  told[id] = {
    errors: errors.map((one) => `${one.Code} at ${one.Start}: ${one.Message}`),
    columns: columns.map((one) => [one.Name, one.Type && one.Type.Name]),
  };
}
process.stdout.write(JSON.stringify(told));
