#include "job/spec_fields.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "job/fingerprint.h"
#include "tests/support/full_spec.h"

namespace millrace {
namespace {

// By address: two fields of one type are easily mistaken for each other.
template <typename Struct, typename Fields>
void ExpectEachOnce(const Struct& object, const Fields& fields) {
  std::set<const void*> members, listed;
  std::apply([&](const auto&... member) { (members.insert(&member), ...); }, MembersOf(object));
  std::set<std::string> names;
  ForEachField(fields, [&](const auto& field) {
    EXPECT_TRUE(listed.insert(&(object.*field.member)).second) << field.name << " is a member that is listed already";
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
  });
  EXPECT_EQ(listed, members);
}

TEST(SpecFields, EveryMemberIsListedOnce) {
  ExpectEachOnce(JobSpec{}, kSpecFields);
  ExpectEachOnce(RetryOverrides{}, kRetryFields);
  ExpectEachOnce(UniqueKey{}, kUniqueKeyFields);
}

TEST(SpecFields, OnlyWhatAJobSaysIsGiven) {
  JobSpec nothing;
  const JobSpec full = test::FullSpec();
  ForEachField(kSpecFields, [&](const auto& field) {
    EXPECT_FALSE(field.IsGiven(nothing)) << field.name;
    EXPECT_TRUE(field.IsGiven(full)) << field.name << ": tests/support/full_spec.h leaves it out";
  });
}

TEST(SpecFields, EveryFieldButTheTraceIsInTheFingerprint) {
  const JobSpec full = test::FullSpec();
  ForEachField(kSpecFields, [&](const auto& field) {
    JobSpec without = full;
    without.*field.member = JobSpec{}.*field.member;
    EXPECT_EQ(Fingerprint(without) != Fingerprint(full), field.in_fingerprint()) << field.name;
    EXPECT_EQ(field.in_fingerprint(), field.name != std::string_view("trace"));
  });
}

}  // namespace
}  // namespace millrace
