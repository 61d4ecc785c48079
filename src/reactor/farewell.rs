//! The end of a reactor's connections, in order: see [`Shard::wind_down`](crate::shard::Shard::wind_down).

use rustix::net::Shutdown;

use crate::clock::Time;
use crate::peer::Reason;

use super::driver::Driver;
use super::event_loop::EventLoop;

impl<D: Driver> EventLoop<D> {
    pub(super) fn wind_down(&mut self, now: Time) {
        self.driver.stop_listening();
        self.shard.wind_down(now);
    }

    /// Ends the streams of those who have got everything. With the last connection it is told that there is none left.
    pub(super) fn part(&mut self) {
        if !self.shard.winds_down() || self.over {
            return;
        }
        for key in self.shard.next_partings() {
            let Some(socket) = self.socket(key).filter(|socket| socket.outgoing.is_idle()) else { continue };
            match rustix::net::shutdown(&socket.descriptor, Shutdown::Write) {
                Ok(()) => self.shard.parted(key),
                Err(_) => self.shard.close(key, Reason::Failed),
            }
        }
        if self.shard.connections() == 0 {
            self.over = true;
            self.publish(0);
        }
    }
}
