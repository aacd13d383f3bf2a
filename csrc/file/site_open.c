/* site_open.c - what stands at a queue's path, and opening it for reading alone. */
#define _POSIX_C_SOURCE 200809L
#include "file/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/platform.h"
#include "file/cycle_store.h"
#include "file/roll_guess.h"
#include "format/file_names.h"

int tape__site_set_path(tape__site_t *site, const char *path)
{
    char here[TAPE__PATH_SIZE] = "";
    int failed = path[0] == '/' ? 0 : tape__current_directory(here, sizeof here);
    if (failed < 0 && failed != -ERANGE)
        return tape__fail_errno(-failed, path, "asking for the current directory");
    int length = snprintf(site->path, sizeof site->path, "%s%s%s", here, *here ? "/" : "", path);
    if (failed < 0 || length > TAPE__DIRECTORY_MAX)
        return tape__fail(TAPE_EINVAL, path, -1, "the path is too long");
    for (size_t n = (size_t)length; n > 1 && site->path[n - 1] == '/'; n--) site->path[n - 1] = 0;
    return TAPE_OK;
}

/* ---- what stands at the path ---- */

static int look_at_name(void *user, const char *name)
{
    tape__contents_t *c = user;
    if (strcmp(name, TAPE__TABLE_NAME) == 0) c->table = true; /* made since we looked for it */
    if (strcmp(name, TAPE__LISTING_4_NAME) == 0) c->listing_4 = true;
    if (tape__roll_cycle_suffix(name)) c->any_cycle_file = true;
    return 0;
}

/* A queue of Chronicle Queue 4 whose directory-listing.cq4t is gone looks like one that lost its
 * table store; making one would mix the two. Other faults of the file are its readers' business. */
static int check_not_version_4(const char *path, const tape__contents_t *c)
{
    char file[TAPE__PATH_SIZE];
    tape__cycle_store_t store;
    snprintf(file, sizeof file, "%s/%s", path, c->cycle_file);
    int rc = tape__cycle_store_open(&store, file, 0, false);
    if (rc == TAPE_OK) tape__cycle_store_close(&store);
    return rc == TAPE_ECORRUPT || rc == TAPE_ENOTFOUND || rc == TAPE__NOT_READY ? TAPE_OK : rc;
}

static int list_names(const tape__site_t *site, tape__contents_t *c)
{
    memset(c, 0, sizeof *c);
    int rc = tape__list_directory(site->path, look_at_name, c);
    if (rc < 0) return tape__fail_errno(-rc, site->path, "listing the directory");
    if (!c->any_cycle_file) return TAPE_OK;
    return tape__roll_guess(site->path, &c->of_names, c->cycle_file, sizeof c->cycle_file);
}

/* Whether the names are those of a queue that can be used without its table store. */
static int check_names(const tape__site_t *site, const tape__contents_t *c)
{
    const char *path = site->path;
    if (c->listing_4)
        return tape__fail(TAPE_EUNSUPPORTED, path, -1,
                          "%s is a queue of Chronicle Queue 4 (it has directory-listing.cq4t)",
                          path);
    if (c->any_cycle_file && !c->of_names)
        return tape__fail(TAPE_EUNSUPPORTED, path, -1,
                          "%s holds .cq4 files whose names fit none of the 28 roll cycles", path);
    return c->of_names ? check_not_version_4(path, c) : TAPE_OK;
}

int tape__site_look_at_names(const tape__site_t *site, tape__contents_t *c)
{
    int rc = list_names(site, c);
    c->table = false;
    return rc == TAPE_OK ? check_names(site, c) : rc;
}

int tape__site_look(const tape__site_t *site, tape__contents_t *c)
{
    const char *path = site->path;
    tape__stat_t st;
    memset(c, 0, sizeof *c);
    int rc = tape__stat_path(path, &st);
    if (rc < 0) return tape__fail_errno(-rc, path, "opening the queue");
    if (!st.is_directory)
        return tape__fail(TAPE_EUNSUPPORTED, path, -1, "%s is not a directory", path);
    /* With a table store nothing else counts, and a directory may be long. */
    char table[TAPE__PATH_SIZE];
    snprintf(table, sizeof table, "%s/%s", path, TAPE__TABLE_NAME);
    rc = tape__stat_path(table, &st);
    c->table = rc == 0;
    if (rc == 0) return TAPE_OK;
    if (rc != -ENOENT) return tape__fail_errno(-rc, table, "looking for the table store");
    rc = list_names(site, c);
    return rc == TAPE_OK && !c->table ? check_names(site, c) : rc;
}

int tape__site_check_filesystem(const tape__site_t *site)
{
    const char *name;
    int rc = tape__unshared_filesystem(site->path, &name);
    if (rc < 0) return tape__fail_errno(-rc, site->path, "asking for the file system");
    if (!name) return TAPE_OK;
    return tape__fail(TAPE_EFILESYSTEM, site->path, -1, "%s is on %s", site->path, name);
}

int tape__site_no_queue(const tape__site_t *site)
{
    return tape__fail(TAPE_ENOTFOUND, site->path, -1, "%s is a directory without a queue",
                      site->path);
}

/* ---- opening ---- */

int tape__site_open_table(tape__site_t *site)
{
    int rc = tape__table_store_open(&site->table, site->path, !site->read_only);
    site->has_table = rc == TAPE_OK;
    if (rc == TAPE_OK) site->settings = site->table.settings;
    return rc;
}

void tape__site_bind_listing(tape__site_t *site)
{
    tape__listing_t *l = &site->listing;
    l->directory = site->path;
    l->roll_cycle = site->settings.roll_cycle;
    l->epoch_ms = tape__roll_cycle_epoch(site->settings.roll_cycle, site->settings.epoch_ms);
    if (!site->has_table) return;
    l->lowest = tape__table_store_cell(&site->table, TAPE__KEY_LOWEST);
    l->highest = tape__table_store_cell(&site->table, TAPE__KEY_HIGHEST);
    l->mod_count = tape__table_store_cell(&site->table, TAPE__KEY_MOD_COUNT);
}

int tape__site_open_to_read(tape__site_t *site, bool any_filesystem)
{
    tape__contents_t c;
    site->read_only = true;
    int rc = tape__site_look(site, &c);
    if (rc == TAPE_OK && !any_filesystem) rc = tape__site_check_filesystem(site);
    if (rc != TAPE_OK) return rc;
    if (c.table) {
        rc = tape__site_open_table(site);
        if (rc == TAPE__NEVER_FILLED) rc = tape__site_look_at_names(site, &c);
    }
    if (rc == TAPE_OK && !c.table) { /* a queue that lost its table store, or never got one */
        if (!c.of_names) rc = tape__site_no_queue(site);
        else site->settings.roll_cycle = c.of_names;
    }
    if (rc == TAPE_OK) tape__site_bind_listing(site);
    return rc;
}
