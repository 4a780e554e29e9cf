#!/usr/bin/env node
// Starts the command line with a Node that can run it: this one, or else the one that `npm ci` put into the checkout.
// Plain old JavaScript, so that any Node gets as far as saying what is missing.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

var NEEDED = [22, 18];
var REEXECUTED = 'JARVIS_NODE_FOUND';

function isNewEnough(version) {
  var parts = version.split('.').map(Number);
  return parts[0] > NEEDED[0] || (parts[0] === NEEDED[0] && parts[1] >= NEEDED[1]);
}

function canRun() {
  // Type stripping and node:sqlite came behind flags first, and may be left out of a build.
  var sqlite = typeof process.getBuiltinModule === 'function' && process.getBuiltinModule('node:sqlite');
  return isNewEnough(process.versions.node) && Boolean(process.features.typescript) && Boolean(sqlite);
}

function findOwnNode() {
  var names = ['node', 'node.exe'];
  for (var i = 0; i < names.length; i++) {
    var path = fileURLToPath(new URL('../../../node_modules/.bin/' + names[i], import.meta.url));
    if (existsSync(path) && path !== process.execPath) return path;
  }
  return null;
}

function runWith(node) {
  // oxlint-disable-next-line no-restricted-properties -- a program's edge: the child gets the same
  var env = Object.assign({}, process.env);
  env[REEXECUTED] = '1';
  var child = spawn(node, [fileURLToPath(import.meta.url)].concat(process.argv.slice(2)), {
    stdio: 'inherit',
    env: env,
  });
  // Ctrl-C and the end of a terminal reach the child by themselves; this process only waits for it.
  process.on('SIGINT', function () {});
  process.on('SIGHUP', function () {});
  process.on('SIGTERM', function () {
    child.kill('SIGTERM');
  });
  child.on('error', function (error) {
    fail('Could not start ' + node + ': ' + error.message);
  });
  child.on('exit', function (code, signal) {
    process.exit(code === null ? 128 + (constants.signals[signal] || 0) : code);
  });
}

function fail(message) {
  process.stderr.write(message + '\n');
  process.exit(1);
}

if (canRun()) {
  import('../src/main.ts').catch(function (error) {
    fail(String((error && error.stack) || error));
  });
} else {
  // oxlint-disable-next-line no-restricted-properties -- a program's edge
  var own = process.env[REEXECUTED] === '1' ? null : findOwnNode();
  if (own !== null) runWith(own);
  else
    fail(
      'JARVIS needs Node ' +
        NEEDED.join('.') +
        ' or later with type stripping and node:sqlite; this is ' +
        process.version +
        '.\nRun `npm ci` in the checkout: it brings a Node of its own. Or install a later one from https://nodejs.org.',
    );
}
