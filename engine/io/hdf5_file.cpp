// Files and groups.
#include <algorithm>
#include <fstream>

#include "engine/io/hdf5_call.h"

namespace lodestone::hdf5 {
namespace {

// "cells.h5ad: X/indptr" for a member that may not exist.
std::string member(const Group& group, const std::string& name) {
  const bool is_root = H5Iget_name(group.id(), nullptr, 0) <= 1;
  return group.where() + (is_root ? ": " : "/") + name;
}

H5I_type_t type_of_member(const Group& group, const std::string& name) {
  if (!group.has(name)) return H5I_BADID;
  const Handle object(
      call(member(group, name), "open it", H5Oopen, group.id(), name.c_str(), hid_t{H5P_DEFAULT}));
  return H5Iget_type(object.id());
}

Handle make_space(const std::vector<std::int64_t>& shape, bool growable) {
  std::vector<hsize_t> extents(shape.begin(), shape.end());
  std::vector<hsize_t> limits = extents;
  if (growable) limits[0] = H5S_UNLIMITED;
  return Handle(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), limits.data()));
}

// Without the time of creation, so that the same contents are the same bytes.
Handle dataset_plan() {
  Handle plan(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(plan.id(), false);
  return plan;
}

Dataset create_dataset_of(const Group& group, const std::string& name, hid_t type, hid_t space,
                          hid_t plan) {
  return Dataset(Handle(call(member(group, name), "create it", H5Dcreate2, group.id(), name.c_str(),
                             type, space, hid_t{H5P_DEFAULT}, plan, hid_t{H5P_DEFAULT})));
}

Dataset create_filled(const Group& group, const std::string& name, hid_t type, hid_t space,
                      const void* values) {
  const Handle plan = dataset_plan();
  Dataset created = create_dataset_of(group, name, type, space, plan.id());
  if (H5Sget_simple_extent_npoints(space) > 0)
    call(created.where(), "write it", H5Dwrite, created.id(), type, hid_t{H5S_ALL}, hid_t{H5S_ALL},
         hid_t{H5P_DEFAULT}, values);
  return created;
}

Handle access_plan(bool locking) {
  Handle plan(H5Pcreate(H5P_FILE_ACCESS));
  if (!locking) H5Pset_file_locking(plan.id(), false, true);
  return plan;
}

Handle open_file(const std::filesystem::path& path, unsigned flags) {
  std::error_code unknown;
  check_input(!std::filesystem::is_directory(path, unknown),
              "{}: is a folder where an HDF5 file is expected", path.string());
  check_input(std::filesystem::exists(path, unknown), "{}: no such file", path.string());
  if (!std::ifstream(path, std::ios::binary))
    fail(ErrorKind::kIo, "{}: cannot be opened for reading", path.string());
  silence_library();
  const Handle plan = access_plan(false);
  Handle file(H5Fopen(path.c_str(), flags, plan.id()));
  if (file.id() < 0) {
    const std::string message = library_message();
    fail(kind_of_failure(message),
         "{}: is not a readable HDF5 file (truncated?): {}; copy or write it again", path.string(),
         message);
  }
  return file;
}

Handle create_file(const std::filesystem::path& path) {
  silence_library();
  const Handle plan = access_plan(false);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, plan.id()));
  if (file.id() < 0) {
    const std::string message = library_message();
    const ErrorKind kind = kind_of_failure(message);
    fail(kind == ErrorKind::kBadInput ? ErrorKind::kIo : kind, "{}: cannot be created: {}",
         path.string(), message);
  }
  return file;
}

}  // namespace

bool Group::has(const std::string& name) const {
  const auto is_there = [&](auto* function, const std::string& path) {
    return call(member(*this, path), "look for it", function, id(), path.c_str(),
                hid_t{H5P_DEFAULT}) > 0;
  };
  // Every link on the way must exist before the next is asked for.
  for (std::size_t slash = name.find('/'); slash != std::string::npos;
       slash = name.find('/', slash + 1))
    if (!is_there(H5Lexists, name.substr(0, slash))) return false;
  return is_there(H5Lexists, name) && is_there(H5Oexists_by_name, name);
}

bool Group::has_group(const std::string& name) const {
  return type_of_member(*this, name) == H5I_GROUP;
}

bool Group::has_dataset(const std::string& name) const {
  return type_of_member(*this, name) == H5I_DATASET;
}

std::vector<std::string> Group::children() const {
  std::vector<std::string> names;
  const auto take = [](hid_t, const char* name, const H5L_info_t*, void* taken) -> herr_t {
    static_cast<std::vector<std::string>*>(taken)->emplace_back(name);
    return 0;
  };
  const H5L_iterate_t visit = take;
  call(where(), "list it", H5Literate, id(), H5_INDEX_NAME, H5_ITER_INC,
       static_cast<hsize_t*>(nullptr), visit, static_cast<void*>(&names));
  return names;
}

Group Group::group(const std::string& name) const {
  check_input(has_group(name), "{}: no such group in the file", member(*this, name));
  return Group(Handle(
      call(member(*this, name), "open it", H5Gopen2, id(), name.c_str(), hid_t{H5P_DEFAULT})));
}

Dataset Group::dataset(const std::string& name) const {
  check_input(has_dataset(name), "{}: no such dataset in the file", member(*this, name));
  return Dataset(Handle(
      call(member(*this, name), "open it", H5Dopen2, id(), name.c_str(), hid_t{H5P_DEFAULT})));
}

Group Group::create_group(const std::string& name) {
  return Group(Handle(call(member(*this, name), "create it", H5Gcreate2, id(), name.c_str(),
                           hid_t{H5P_DEFAULT}, hid_t{H5P_DEFAULT}, hid_t{H5P_DEFAULT})));
}

Dataset Group::create_dataset(const std::string& name, Number type,
                              const std::vector<std::int64_t>& shape, std::int64_t chunk_rows,
                              int deflate) {
  const Handle plan = dataset_plan();
  if (chunk_rows == 0) {
    H5Pset_alloc_time(plan.id(), H5D_ALLOC_TIME_EARLY);
  } else {
    check(!shape.empty() && chunk_rows > 0, "{}: chunks need an axis and at least one row",
          member(*this, name));
    std::vector<hsize_t> chunk;
    chunk.reserve(shape.size());
    for (const std::int64_t extent : shape)
      chunk.push_back(static_cast<hsize_t>(std::max<std::int64_t>(extent, 1)));
    chunk[0] = static_cast<hsize_t>(chunk_rows);
    H5Pset_chunk(plan.id(), static_cast<int>(chunk.size()), chunk.data());
    if (deflate > 0) H5Pset_deflate(plan.id(), static_cast<unsigned>(deflate));
  }
  const Handle space = make_space(shape, chunk_rows > 0);
  return create_dataset_of(*this, name, native_type(type), space.id(), plan.id());
}

Dataset Group::create_texts(const std::string& name, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  const Handle space = make_space({static_cast<std::int64_t>(values.size())}, false);
  return create_filled(*this, name, text_type().id(), space.id(), pointers.data());
}

Dataset Group::create_text(const std::string& name, std::string_view value) {
  const std::string text(value);
  const char* pointer = text.c_str();
  const Handle space(H5Screate(H5S_SCALAR));
  return create_filled(*this, name, text_type().id(), space.id(), &pointer);
}

Dataset Group::create_bools(const std::string& name, const std::vector<std::uint8_t>& values) {
  const Handle space = make_space({static_cast<std::int64_t>(values.size())}, false);
  return create_filled(*this, name, bool_type().id(), space.id(), values.data());
}

void Group::remove(const std::string& name) {
  call(member(*this, name), "remove it", H5Ldelete, id(), name.c_str(), hid_t{H5P_DEFAULT});
}

void Group::copy_from(const Group& source, const std::string& name) {
  call(member(source, name), "copy it", H5Ocopy, source.id(), name.c_str(), id(), name.c_str(),
       hid_t{H5P_DEFAULT}, hid_t{H5P_DEFAULT});
}

File::File(Handle file)
    : Group(Handle(H5Gopen2(file.id(), "/", H5P_DEFAULT))), file_(std::move(file)) {}

File File::open(const std::filesystem::path& path) {
  return File(open_file(path, H5F_ACC_RDONLY));
}

File File::create(const std::filesystem::path& path) {
  return File(create_file(path));
}

File File::edit(const std::filesystem::path& path) {
  return File(open_file(path, H5F_ACC_RDWR));
}

void File::flush() {
  call(where(), "write it out", H5Fflush, file_.id(), H5F_SCOPE_GLOBAL);
  throw_failed_close(where());
}

}  // namespace lodestone::hdf5
