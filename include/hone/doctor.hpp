// What looks for mistakes in weights, data and settings before a model trains, and for trouble while it does.
#pragma once

#include "hone/train/doctor.hpp"
#include "hone/train/doctor_exam.hpp"
#include "hone/train/doctor_labels.hpp"
#include "hone/train/doctor_leaks.hpp"
#include "hone/train/doctor_model.hpp"
#include "hone/train/doctor_options.hpp"
#include "hone/train/doctor_rates.hpp"
#include "hone/train/doctor_resources.hpp"
#include "hone/train/doctor_text.hpp"
#include "hone/train/doctor_texts.hpp"
#include "hone/train/doctor_weights.hpp"
#include "hone/train/finding.hpp"
#include "hone/train/training_watch.hpp"
