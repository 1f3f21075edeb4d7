// Asio, configured the same way for every file that uses it. Only io/ and its tests include this.
#pragma once

#define ASIO_STANDALONE
#define ASIO_NO_DEPRECATED
#include <asio.hpp>
