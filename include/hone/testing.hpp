// Checks of layers and losses of your own: their gradients against central differences.
#pragma once

#include "hone/testing/check_gradients.hpp"
#include "hone/testing/check_layer.hpp"
#include "hone/testing/check_loss.hpp"
#include "hone/testing/check_report.hpp"
