// What makes a function visible outside of the shared library, beside its line in exports.map.
#pragma once

#define KAPRUNE_EXPORT extern "C" __attribute__((visibility("default")))
