/* loop.c: the driver's only calls into the event loop. A simulation puts its own scheduler in their
 * place by defining these functions itself. */
#include "service/driver.h"

#include <unistd.h> /* _exit */

void driver_wake(struct driver *driver)
{
    (void)uv_async_send(&driver->wake);
}

static void on_work(uv_work_t *work)
{
    struct driver *driver = work->data;
    driver->job_fault = driver->job(driver);
}

static void on_work_done(uv_work_t *work, int status)
{
    (void)status;
    struct driver *driver = work->data;
    driver->busy = false;
    driver->after_job(driver);
}

void driver_run_job(struct driver *driver, enum fault (*job)(struct driver *driver),
                    void (*after)(struct driver *driver))
{
    REQUIRE(!driver->busy);
    driver->busy = true;
    driver->job = job;
    driver->after_job = after;
    driver->work.data = driver;
    ENSURE(uv_queue_work(driver->loop, &driver->work, on_work, on_work_done) == 0);
}

void driver_leave(struct driver *driver)
{
    uv_stop(driver->loop);
}

void driver_exit(int exit_code)
{
    _exit(exit_code);
}
